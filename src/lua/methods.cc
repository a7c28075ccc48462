#include "lua/methods.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lua/lexer.h"

namespace yett::lua {

static size_t placeOf(std::string_view method) {
  return static_cast<size_t>(std::find(kStringMethods.begin(), kStringMethods.end(), method) - kStringMethods.begin());
}

// `[` after an expression indexes it; elsewhere it begins a field of a table constructor.
static bool indexes(const Token& before) {
  return before.kind == Token::Kind::kName || before.kind == Token::Kind::kString || before.is(")") || before.is("]");
}

// Whether the tokens `a b c d` may read a string method without calling it, or give `string` another meaning.
static bool mayReadMethod(const Token& a, const Token& b, const Token& c, const Token& d) {
  if (b.kind == Token::Kind::kName && b.text == "string") return a.is(".") || !(c.is(".") || c.is(":"));
  if (!b.is("[") || !indexes(a)) return false;
  const bool text = c.kind == Token::Kind::kString && c.text.find('\\') == std::string_view::npos;
  const bool harmless = c.is("0") || (text && placeOf(c.text) == kStringMethods.size());
  return !harmless || !d.is("]");
}

MethodCalls::MethodCalls(std::string_view text) {
  Lexer lexer(text);
  std::set<std::pair<size_t, int>> fields;
  Token first, before, dot;
  for (Token token = lexer.next(); token.kind != Token::Kind::kEnd;
       first = before, before = dot, dot = token, token = lexer.next()) {
    if (mayReadMethod(first, before, dot, token)) calls_only_ = false;
    const size_t place = token.kind == Token::Kind::kSymbol ? kStringMethods.size() : placeOf(token.text);
    if (place == kStringMethods.size()) continue;
    if (token.kind == Token::Kind::kName && dot.is(":")) lines_[place].push_back(token.line);
    const bool library = before.kind == Token::Kind::kName && before.text == "string";
    const bool field = (token.kind == Token::Kind::kName && dot.is(".")) ||
                       (token.kind == Token::Kind::kString && dot.is("[") && before.kind != Token::Kind::kSymbol);
    if (field && !library) fields.emplace(place, token.line);
  }
  if (!fields.empty()) calls_only_ = false;
  for (const auto& [place, line] : fields) {
    if (!at(kStringMethods[place], line)) continue;
    const std::string name(kStringMethods[place]);
    mixed_.push_back(std::to_string(line) + ": `:" + name + "` and `." + name + "` on one line: put them on two");
  }
}

bool MethodCalls::at(std::string_view method, int line) const {
  const size_t place = placeOf(method);
  return place < lines_.size() && std::binary_search(lines_[place].begin(), lines_[place].end(), line);
}

}  // namespace yett::lua
