#include "engine/lua_methods.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/lua_lexer.h"

namespace yett::engine {

static size_t placeOf(std::string_view method) {
  return static_cast<size_t>(std::find(kStringMethods.begin(), kStringMethods.end(), method) - kStringMethods.begin());
}

MethodCalls::MethodCalls(std::string_view text) {
  Lexer lexer(text);
  std::set<std::pair<size_t, int>> fields;
  Token before, dot;
  for (Token token = lexer.next(); token.kind != Token::Kind::kEnd; before = dot, dot = token, token = lexer.next()) {
    const size_t place = token.kind == Token::Kind::kSymbol ? kStringMethods.size() : placeOf(token.text);
    if (place == kStringMethods.size()) continue;
    if (token.kind == Token::Kind::kName && dot.is(":")) lines_[place].push_back(token.line);
    const bool library = before.kind == Token::Kind::kName && before.text == "string";
    const bool field = (token.kind == Token::Kind::kName && dot.is(".")) ||
                       (token.kind == Token::Kind::kString && dot.is("[") && before.kind != Token::Kind::kSymbol);
    if (field && !library) fields.emplace(place, token.line);
  }
  for (const auto& [place, line] : fields) {
    if (!at(kStringMethods[place], line)) continue;
    const std::string name(kStringMethods[place]);
    mixed_.push_back(std::to_string(line) + ": `:" + name + "` and `." + name + "` in one line: write them in two");
  }
}

bool MethodCalls::at(std::string_view method, int line) const {
  const size_t place = placeOf(method);
  return place < lines_.size() && std::binary_search(lines_[place].begin(), lines_[place].end(), line);
}

}  // namespace yett::engine
