#include "engine/lua_duplicates.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace yett::engine {
namespace {

struct Token {
  enum class Kind { kEnd, kName, kString, kSymbol };
  Kind kind = Kind::kEnd;
  std::string_view text;  // of a string what stands between its quotes
  int line = 0;
};

bool startsName(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// As much of Lua's lexer (manual, 3.1) as it takes to know where names, strings and brackets stand.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {
    if (text_.starts_with('#')) skipLine();
  }

  Token next() {
    skipBlanks();
    Token out{Token::Kind::kEnd, {}, line_};
    if (at_ >= text_.size()) return out;
    const char c = text_[at_];
    const size_t from = at_;
    if (startsName(c)) {
      while (at_ < text_.size() && (startsName(text_[at_]) || isDigit(text_[at_]))) ++at_;
      out.kind = Token::Kind::kName;
      out.text = text_.substr(from, at_ - from);
    } else if (c == '"' || c == '\'') {
      out.kind = Token::Kind::kString;
      out.text = quoted(c);
    } else if (size_t level = 0; c == '[' && opensLong(level)) {
      out.kind = Token::Kind::kString;
      out.text = longBracket(level);
    } else if (isDigit(c)) {
      while (at_ < text_.size() && (startsName(text_[at_]) || isDigit(text_[at_]) || text_[at_] == '.')) ++at_;
      out.kind = Token::Kind::kSymbol;
      out.text = "0";
    } else {
      static constexpr std::string_view kTwo[] = {"==", "~=", "<=", ">=", "//", "::", ".."};
      const auto two = text_.substr(at_, 2);
      at_ += std::find(std::begin(kTwo), std::end(kTwo), two) != std::end(kTwo) ? 2 : 1;
      out.kind = Token::Kind::kSymbol;
      out.text = text_.substr(from, at_ - from);
    }
    return out;
  }

 private:
  void skipLine() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }

  void skipBlanks() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '\n' || c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') continue;
      if (text_.substr(at_, 2) != "--") return;
      at_ += 2;
      size_t level = 0;
      if (opensLong(level)) longBracket(level), --at_;
      else skipLine(), --at_;
    }
  }

  // [[ or [==[ at the front.
  bool opensLong(size_t& level) const {
    if (at_ >= text_.size() || text_[at_] != '[') return false;
    size_t i = at_ + 1;
    while (i < text_.size() && text_[i] == '=') ++i;
    level = i - at_ - 1;
    return i < text_.size() && text_[i] == '[';
  }

  std::string_view longBracket(size_t level) {
    const size_t from = at_ + level + 2;
    const std::string close = "]" + std::string(level, '=') + "]";
    const size_t end = std::min(text_.find(close, from), text_.size());
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = std::min(end + close.size(), text_.size());
    return text_.substr(from, end - from);
  }

  std::string_view quoted(char quote) {
    const size_t from = ++at_;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      if (text_[at_] == '\n') ++line_;
      ++at_;
    }
    const auto out = text_.substr(from, std::min(at_, text_.size()) - from);
    at_ = std::min(at_ + 1, text_.size());
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

// Goes through the tokens with a stack of what is open. Only between the fields of a table can a field begin.
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

}  // namespace yett::engine
