#include "lua/source_lint.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "base/text.h"
#include "lua/lexer.h"
#include "lua/request.h"

namespace yett::lua {
namespace {

using Kind = Token::Kind;

struct Library {
  std::string_view name;
  std::vector<std::string_view> members;
};

// What docs/policy.md says that each library has.
const std::vector<Library>& libraries() {
  static const std::vector<Library> all = {
      {"string",
       {"byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub", "upper"}},
      {"table", {"concat", "insert", "pack", "remove", "sort", "unpack"}},
      {"math",
       {"abs", "ceil", "floor", "fmod", "huge", "max", "maxinteger", "min", "mininteger", "modf", "pi", "sqrt",
        "tointeger", "type", "ult"}},
      {"utf8", {"char", "codepoint", "len", "offset"}},
      {"json", {"decode"}},
      {"base64", {"decode"}},
      {"base64url", {"decode"}}};
  return all;
}

bool isKeyword(std::string_view text) {
  static constexpr std::string_view kWords[] = {"and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
                                                "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
                                                "repeat",   "return", "then", "true", "until",  "while"};
  return std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords);
}

class SourceLint {
 public:
  SourceLint(const std::string& text, const std::set<std::string, std::less<>>& globals) : globals_(globals) {
    Lexer lexer(text);
    for (Token token = lexer.next(); token.kind != Kind::kEnd; token = lexer.next()) tokens_.push_back(token);
  }

  std::vector<std::string> run() {
    markKeys();
    collectNames();
    for (size_t i = 0; i < tokens_.size(); ++i) {
      lookAtName(i);
      lookAtLibrary(i);
      lookAtRequest(i);
    }
    for (size_t i = 0; i + 2 < tokens_.size(); ++i) {
      const bool deny = isName(i, "deny");
      if ((!deny && !isName(i, "allow")) || at(i + 1).kind != Kind::kString || !at(i + 2).is("{")) continue;
      lookAtParams(i);
      if (deny) lookAtDeny(i);
    }
    std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> out;
    for (const auto& [line, what] : found_) out.push_back(std::to_string(line) + ": " + what);
    return out;
  }

  bool readsBody() {
    markKeys();
    collectNames();
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (isIdentifier(i) && requests_.contains(at(i).text) && symbol(i + 1, ".") && isName(i + 2, "body")) return true;
    }
    return false;
  }

 private:
  const Token& at(size_t i) const {
    static const Token kEnd;
    return i < tokens_.size() ? tokens_[i] : kEnd;
  }
  bool isName(size_t i, std::string_view text) const { return at(i).kind == Kind::kName && at(i).text == text; }
  bool symbol(size_t i, std::string_view text) const { return at(i).is(text); }
  // A name that the program may have given to something.
  bool isIdentifier(size_t i) const { return at(i).kind == Kind::kName && !isKeyword(at(i).text); }

  void tell(size_t i, const std::string& what) { found_.emplace_back(at(i).line, what); }

  // Keys of table constructors: `name =` right after `{`, `,` or `;` of a table.
  void markKeys() {
    key_.assign(tokens_.size(), false);
    std::vector<char> open;
    bool field_next = false;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const Token& t = tokens_[i];
      if (field_next && isIdentifier(i) && symbol(i + 1, "=")) key_[i] = true;
      field_next = false;
      if (t.kind == Kind::kName) {
        if (t.text == "function" || t.text == "if" || t.text == "do" || t.text == "repeat") open.push_back('b');
        else if ((t.text == "end" || t.text == "until") && !open.empty() && open.back() == 'b') open.pop_back();
      } else if (t.kind == Kind::kSymbol) {
        if (t.text == "{" || t.text == "(" || t.text == "[") open.push_back(t.text[0]);
        else if ((t.text == "}" || t.text == ")" || t.text == "]") && !open.empty()) open.pop_back();
        field_next = !open.empty() && open.back() == '{' && (t.text == "{" || t.text == "," || t.text == ";");
      }
    }
  }

  // Every name that something in the file defines, wherever: scopes are not told apart.
  void collectNames() {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (isName(i, "local") || isName(i, "for")) {
        for (size_t k = i + 1; isIdentifier(k) || symbol(k, ",") || symbol(k, "<") || symbol(k, ">"); ++k)
          if (isIdentifier(k)) defined_.insert(at(k).text);
      } else if (isName(i, "function")) {
        size_t k = i + 1;
        if (isIdentifier(k)) defined_.insert(at(k).text);
        for (; k < tokens_.size() && !symbol(k, "("); ++k) {
          if (symbol(k, ":")) defined_.insert("self");
        }
        const bool condition = takesRequest(i);
        for (++k; k < tokens_.size() && !symbol(k, ")"); ++k) {
          if (!isIdentifier(k)) continue;
          defined_.insert(at(k).text);
          if (condition) requests_.insert(at(k).text);
        }
      } else if (isIdentifier(i) && symbol(i + 1, "=") && !key_[i] && (i == 0 || !symbol(i - 1, "."))) {
        defined_.insert(at(i).text);
      }
    }
    for (size_t i = 0; i < tokens_.size(); ++i) {  // a local of the same name may be anything
      if (!isName(i, "local") && !isName(i, "for")) continue;
      for (size_t k = i + 1; isIdentifier(k) || symbol(k, ","); ++k)
        if (isIdentifier(k)) requests_.erase(at(k).text);
    }
  }

  // The function is a condition or a program: `when = function(r)`, `decide(function(r)`, `decide("name", function(r)`.
  bool takesRequest(size_t function) const {
    if (function >= 2 && symbol(function - 1, "=") && isName(function - 2, "when")) return true;
    if (function >= 2 && symbol(function - 1, "(") && isName(function - 2, "decide")) return true;
    return function >= 4 && symbol(function - 1, ",") && at(function - 2).kind == Kind::kString &&
           symbol(function - 3, "(") && isName(function - 4, "decide");
  }

  void lookAtName(size_t i) {
    if (!isIdentifier(i) || key_[i]) return;
    if (i > 0 && (symbol(i - 1, ".") || symbol(i - 1, ":") || symbol(i - 1, "::") || isName(i - 1, "goto"))) return;
    const std::string_view name = at(i).text;
    if (defined_.contains(name) || globals_.contains(name) || !undefined_.insert(name).second) return;
    std::vector<std::string_view> known(globals_.begin(), globals_.end());
    known.insert(known.end(), defined_.begin(), defined_.end());
    tell(i, "`" + std::string(name) + "` is not defined: reading it is an error" + base::didYouMean(name, known));
  }

  static bool knows(const std::vector<std::string_view>& list, std::string_view name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  }

  // r.field, r.group.field, r.header["X"], has(r.header, "X"), r:method
  void lookAtRequest(size_t i) {
    if (!isIdentifier(i) || key_[i] || !requests_.contains(at(i).text)) return;
    if (i > 0 && (symbol(i - 1, ".") || symbol(i - 1, ":"))) return;
    const std::string r(at(i).text);
    if (symbol(i + 1, ":") && at(i + 2).kind == Kind::kName && at(i + 2).text != "headers")
      return tell(i + 2, "a request has no method `" + std::string(at(i + 2).text) + "`: write " + r +
                             ".header[\"x-name\"] or " + r + ":headers(\"x-name\")");
    if (!symbol(i + 1, ".") || at(i + 2).kind != Kind::kName) return;
    const std::string_view field = at(i + 2).text;
    if (field == "headers" && symbol(i + 3, "["))
      return tell(i + 2, "`" + r + ".headers` is a function: write " + r + ".header[\"x-name\"] or " + r +
                             ":headers(\"x-name\")");
    const auto root = requestFields("");
    if (!knows(root, field))
      return tell(i + 2, "a request has no field `" + std::string(field) + "`: reading it is an error" +
                             base::didYouMean(field, root));
    const auto inner = requestFields(field);
    std::string_view key;
    const size_t behind_key = symbol(i + 3, ".") ? i + 5 : symbol(i + 3, "[") ? i + 6 : i + 3;
    if (behind_key > i + 3 && (symbol(behind_key, "==") || symbol(behind_key, "~=")) && isName(behind_key + 1, "nil"))
      return tell(behind_key, "an absent value is an error, never nil: check with has() or use optional()");
    if (symbol(i + 3, ".") && at(i + 4).kind == Kind::kName) key = at(i + 4).text;
    else if (symbol(i + 3, "[") && at(i + 4).kind == Kind::kString && symbol(i + 5, "]")) key = at(i + 4).text;
    else if (symbol(i + 3, ",") && at(i + 4).kind == Kind::kString) key = at(i + 4).text;  // has(r.header, "x")
    if (key.empty()) return;
    if (field == "header" && base::lowered(key) != key)
      return tell(i + 4,
                  "header `" + std::string(key) + "`: write header names in lower case, other ones are an error");
    // r.jwt.corp.field
    if (field == "jwt" && symbol(i + 3, ".") && symbol(i + 5, ".") && at(i + 6).kind == Kind::kName) {
      const auto parts = requestFields("jwt_svid");
      if (!knows(parts, at(i + 6).text))
        tell(i + 6, "a token has no `" + std::string(at(i + 6).text) + "`: reading it is an error" +
                        base::didYouMean(at(i + 6).text, parts) + "; what its issuer says is in `claims`");
    }
    if (!inner.empty() && !knows(inner, key))
      tell(i + 4, "`" + std::string(field) + "` has no field `" + std::string(key) + "`: reading it is an error" +
                      base::didYouMean(key, inner));
  }

  // string.startswith, json.parse
  void lookAtLibrary(size_t i) {
    if (!isIdentifier(i) || key_[i] || defined_.contains(at(i).text) || !symbol(i + 1, ".") ||
        at(i + 2).kind != Kind::kName || (i > 0 && (symbol(i - 1, ".") || symbol(i - 1, ":"))))
      return;
    for (const auto& library : libraries()) {
      if (library.name != at(i).text || knows(library.members, at(i + 2).text)) continue;
      std::string hint = base::didYouMean(at(i + 2).text, library.members);
      if (hint.empty() && library.members.size() == 1)
        hint = ", did you mean `" + std::string(library.members.front()) + "`?";
      tell(i + 2, "`" + std::string(library.name) + "` has no `" + std::string(at(i + 2).text) + "`" + hint);
    }
  }

  // r.params.NAME that no pattern of `path` captures.
  void lookAtParams(size_t rule) {
    const size_t end = behind(rule + 2);
    std::vector<std::string_view> captured;
    bool pattern = false;
    for (size_t i = rule + 3; i < end; ++i) {
      if (!isName(i, "path") || !key_[i]) continue;
      const size_t last = symbol(i + 2, "{") ? behind(i + 2) : i + 3;
      for (size_t k = i + 2; k < last; ++k) {
        if (at(k).kind != Kind::kString) {
          if (at(k).kind == Kind::kName) return;  // `re`, or made elsewhere
          continue;
        }
        pattern = true;
        const std::string_view text = at(k).text;
        for (size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1))
          captured.push_back(text.substr(open + 1, text.find('}', open) - open - 1));
      }
    }
    for (size_t i = rule + 3; i < end; ++i) {
      if (!isIdentifier(i) || !requests_.contains(at(i).text) || !symbol(i + 1, ".") || !isName(i + 2, "params"))
        continue;
      if (!symbol(i + 3, ".") || at(i + 4).kind != Kind::kName || knows(captured, at(i + 4).text)) continue;
      tell(i + 4, pattern ? "`path` captures no `" + std::string(at(i + 4).text) + "`: reading it is an error" +
                                base::didYouMean(at(i + 4).text, captured)
                          : "the rule has no `path`, so there are no `params`: reading one is an error");
    }
  }

  // The token after the one that closes the bracket at `open`.
  size_t behind(size_t open) const {
    int depth = 0;
    for (size_t i = open; i < tokens_.size(); ++i) {
      if (symbol(i, "{") || symbol(i, "(") || symbol(i, "[")) ++depth;
      if ((symbol(i, "}") || symbol(i, ")") || symbol(i, "]")) && --depth == 0) return i + 1;
    }
    return tokens_.size();
  }

  // An absent header is an error in a condition, and an error of a deny denies.
  void lookAtDeny(size_t deny) {
    const size_t end = behind(deny + 2);
    size_t when = deny + 3;
    while (when < end && !(isName(when, "when") && symbol(when + 1, "=") && isName(when + 2, "function"))) ++when;
    if (when == end) return;
    std::set<std::string_view> sure = matched(deny + 3, when);
    std::map<std::string_view, size_t> reads;
    for (size_t i = when + 5; i < end; ++i) {
      if (!isIdentifier(i) || !requests_.contains(at(i).text) || symbol(i - 1, ".")) continue;
      if (!symbol(i + 1, ".")) return;  // r:headers(), or r goes to a function that may look
      if (!isName(i + 2, "header")) continue;
      if (symbol(i + 3, ",")) {  // has() or optional()
        if (at(i + 4).kind != Kind::kString || !(symbol(i + 5, ")") || symbol(i + 5, ","))) return;
        sure.insert(at(i + 4).text);
      } else if (!symbol(i + 3, ".") && !symbol(i + 3, "[")) {
        return;  // r.header itself
      } else if (symbol(i + 3, ".") && at(i + 4).kind == Kind::kName) {
        reads.emplace(at(i + 4).text, i + 4);
      } else if (symbol(i + 3, "[") && at(i + 4).kind == Kind::kString && symbol(i + 5, "]")) {
        reads.emplace(at(i + 4).text, i + 4);
      }
    }
    for (const auto& [name, place] : reads) {
      if (sure.contains(name) || name == "host") continue;
      tell(place, "deny `" + base::printable(at(deny + 1).text) + "` also denies every request without the header `" +
                      std::string(name) + "`, since reading what is absent is an error: check has(r.header, \"" +
                      std::string(name) + "\") first, or use optional()");
    }
  }

  // The keys of `header = { ["x"] = ... }` of the same rule: they are there.
  std::set<std::string_view> matched(size_t from, size_t to) const {
    std::set<std::string_view> out;
    for (size_t i = from; i < to; ++i) {
      if (!isName(i, "header") || !key_[i] || !symbol(i + 2, "{")) continue;
      const size_t end = behind(i + 2);
      for (size_t k = i + 3; k < end; ++k) {
        if (isName(k, "absent")) return {};  // some may be missing
        if (at(k).kind == Kind::kString && symbol(k + 1, "]")) out.insert(at(k).text);
        if (key_[k]) out.insert(at(k).text);
      }
    }
    return out;
  }

  const std::set<std::string, std::less<>>& globals_;
  std::vector<Token> tokens_;
  std::vector<bool> key_;
  std::set<std::string_view> defined_;
  std::set<std::string_view> undefined_;  // that were told
  std::set<std::string_view> requests_;   // names of parameters that conditions get the request by
  std::vector<std::pair<int, std::string>> found_;
};

}  // namespace

bool readsBody(const std::string& text) {
  static const std::set<std::string, std::less<>> none;
  return SourceLint(text, none).readsBody();
}

std::vector<std::string> lintSource(const std::string& text, const std::set<std::string, std::less<>>& globals) {
  return SourceLint(text, globals).run();
}

}  // namespace yett::lua
