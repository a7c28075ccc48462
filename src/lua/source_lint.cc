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
      lookAtRequest(i);
    }
    for (size_t i = 0; i + 2 < tokens_.size(); ++i) {
      if (isName(i, "deny") && at(i + 1).kind == Kind::kString && at(i + 2).is("{")) lookAtDeny(i);
    }
    std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> out;
    for (const auto& [line, what] : found_) out.push_back(std::to_string(line) + ": " + what);
    return out;
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
        while (k < tokens_.size() && !symbol(k, "(")) ++k;
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
    if (!symbol(i + 1, ".") || at(i + 2).kind != Kind::kName) return;
    const std::string_view field = at(i + 2).text;
    const auto root = requestFields("");
    if (!knows(root, field))
      return tell(i + 2, "a request has no field `" + std::string(field) + "`: reading it is an error" +
                             base::didYouMean(field, root));
    const auto inner = requestFields(field);
    std::string_view key;
    if (symbol(i + 3, ".") && at(i + 4).kind == Kind::kName) key = at(i + 4).text;
    else if (symbol(i + 3, "[") && at(i + 4).kind == Kind::kString && symbol(i + 5, "]")) key = at(i + 4).text;
    else if (symbol(i + 3, ",") && at(i + 4).kind == Kind::kString) key = at(i + 4).text;  // has(r.header, "x")
    if (key.empty()) return;
    if (field == "header" && base::lowered(key) != key)
      return tell(i + 4,
                  "header `" + std::string(key) + "`: write header names in lower case, other ones are an error");
    if (!inner.empty() && !knows(inner, key))
      tell(i + 4, "`" + std::string(field) + "` has no field `" + std::string(key) + "`: reading it is an error" +
                      base::didYouMean(key, inner));
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
    for (size_t i = when; i < end; ++i) {
      if (!isIdentifier(i) || !requests_.contains(at(i).text) || !symbol(i + 1, ".") || !isName(i + 2, "header"))
        continue;
      if (symbol(i + 3, ",")) {  // has() or optional()
        if (at(i + 4).kind != Kind::kString) return;
        sure.insert(at(i + 4).text);
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

std::vector<std::string> lintSource(const std::string& text, const std::set<std::string, std::less<>>& globals) {
  return SourceLint(text, globals).run();
}

}  // namespace yett::lua
