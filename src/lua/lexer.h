// A subset of Lua's lexer (manual, 3.1): enough to find names, strings and brackets in a policy.
#pragma once

#include <string_view>

namespace yett::lua {

struct Token {
  enum class Kind { kEnd, kName, kString, kSymbol };
  Kind kind = Kind::kEnd;
  std::string_view text;  ///< of a string: the text between its quotes; of a number: "0"
  int line = 0;

  bool is(std::string_view symbol) const { return kind == Kind::kSymbol && text == symbol; }
};

/// REQUIRES: Lua compiles the text, which outlives the tokens.
class Lexer {
 public:
  explicit Lexer(std::string_view text);
  Token next();

 private:
  void skipLine();
  void skipBlanks();
  bool opensLong(size_t& level) const;
  std::string_view longBracket(size_t level);
  std::string_view quoted(char quote);

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace yett::lua
