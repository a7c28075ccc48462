#include "lua/lexer.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace yett::lua {

static bool startsName(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

Lexer::Lexer(std::string_view text) : text_(text) {
  if (text_.starts_with('#')) skipLine();
}

Token Lexer::next() {
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

void Lexer::skipLine() {
  while (at_ < text_.size() && text_[at_] != '\n') ++at_;
}

void Lexer::skipBlanks() {
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

// Whether `[[` or `[==[` comes next.
bool Lexer::opensLong(size_t& level) const {
  if (at_ >= text_.size() || text_[at_] != '[') return false;
  size_t i = at_ + 1;
  while (i < text_.size() && text_[i] == '=') ++i;
  level = i - at_ - 1;
  return i < text_.size() && text_[i] == '[';
}

std::string_view Lexer::longBracket(size_t level) {
  const size_t from = at_ + level + 2;
  const std::string close = "]" + std::string(level, '=') + "]";
  const size_t end = std::min(text_.find(close, from), text_.size());
  line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                       text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
  at_ = std::min(end + close.size(), text_.size());
  return text_.substr(from, end - from);
}

std::string_view Lexer::quoted(char quote) {
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

}  // namespace yett::lua
