#include "lua/duplicates.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "lua/lexer.h"

namespace yett::lua {
namespace {

// Walks the tokens with a stack of open brackets and blocks. A field can begin only after `{`, `,` or `;` of a table.
class Finder {
 public:
  explicit Finder(std::string_view text) : lexer_(text) {}

  std::vector<DuplicateField> run() {
    for (Token token = lexer_.next(); token.kind != Token::Kind::kEnd; token = take(token)) {
    }
    return std::move(found_);
  }

 private:
  struct Open {
    char kind;  // '{', '(', '[' or 'b' for a block
    bool field_next = false;
    std::map<std::string, int, std::less<>> names = {};
  };

  bool atField() const { return !open_.empty() && open_.back().kind == '{' && open_.back().field_next; }

  // Returns the next token to look at.
  Token take(const Token& token) {
    if (atField()) {
      open_.back().field_next = false;
      if (token.kind == Token::Kind::kName && !isWord(token.text)) {
        Token next = lexer_.next();
        if (next.kind == Token::Kind::kSymbol && next.text == "=") note(token);
        return next;
      }
      if (token.kind == Token::Kind::kSymbol && token.text == "[") return takeKey();
    }
    if (token.kind == Token::Kind::kName) word(token.text);
    else if (token.kind == Token::Kind::kSymbol) symbol(token.text);
    return lexer_.next();
  }

  // ["name"] = or [expression] =
  Token takeKey() {
    Token key = lexer_.next();
    if (key.kind != Token::Kind::kString) {
      open_.push_back({'['});
      return key;
    }
    Token close = lexer_.next();
    if (close.kind == Token::Kind::kSymbol && close.text == "]") {
      note(key);
      return lexer_.next();
    }
    open_.push_back({'['});
    return close;
  }

  void note(const Token& token) {
    const auto [first, fresh] = open_.back().names.try_emplace(std::string(token.text), token.line);
    if (!fresh) found_.push_back({std::string(token.text), token.line, first->second});
  }

  static bool isWord(std::string_view text) {
    static constexpr std::string_view kWords[] = {"function", "not", "nil", "true", "false"};
    return std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords);
  }

  // `while` and `for` have a `do`, `elseif` belongs to its `if`.
  void word(std::string_view text) {
    if (text == "function" || text == "if" || text == "do" || text == "repeat") open_.push_back({'b'});
    else if (text == "end" || text == "until") close('b');
  }

  void symbol(std::string_view text) {
    if (text == "{") open_.push_back({'{', true});
    else if (text == "(" || text == "[") open_.push_back({text[0]});
    else if (text == "}") close('{');
    else if (text == ")") close('(');
    else if (text == "]") close('[');
    else if ((text == "," || text == ";") && !open_.empty() && open_.back().kind == '{') open_.back().field_next = true;
  }

  void close(char kind) {
    if (!open_.empty() && open_.back().kind == kind) open_.pop_back();
  }

  Lexer lexer_;
  std::vector<Open> open_;
  std::vector<DuplicateField> found_;
};

}  // namespace

std::vector<DuplicateField> duplicateFields(const std::string& text) {
  return Finder(text).run();
}

}  // namespace yett::lua
