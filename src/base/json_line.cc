// Checks whether a text can be embedded in a line of JSON unchanged.
#include <cctype>

#include "base/json.h"

namespace yett::json {
namespace {

// RFC 8259 without whitespace between tokens: lines written by Yett have none.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool value(int depth) {
    if (depth == 0 || rest_.empty()) return false;
    switch (rest_.front()) {
      case '{': return list('}', depth, true);
      case '[': return list(']', depth, false);
      case '"': return text();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }
  bool atEnd() const { return rest_.empty(); }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view w) {
    if (!rest_.starts_with(w)) return false;
    rest_.remove_prefix(w.size());
    return true;
  }
  bool list(char end, int depth, bool named) {
    rest_.remove_prefix(1);
    if (take(end)) return true;
    do {
      if (named && !(text() && take(':'))) return false;
      if (!value(depth - 1)) return false;
    } while (take(','));
    return take(end);
  }
  bool text() {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const auto c = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c < 0x20 || c == 0x7f) return false;
      if (c != '\\') continue;
      if (take('u')) {
        for (int i = 0; i < 4; ++i, rest_.remove_prefix(1)) {
          if (rest_.empty() || std::isxdigit(static_cast<unsigned char>(rest_.front())) == 0) return false;
        }
      } else if (rest_.empty() || std::string_view("\"\\/bfnrt").find(rest_.front()) == std::string_view::npos) {
        return false;
      } else {
        rest_.remove_prefix(1);
      }
    }
    return false;
  }
  bool digits() {
    const size_t before = rest_.size();
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') rest_.remove_prefix(1);
    return rest_.size() < before;
  }
  bool number() {
    (void)take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) (void)take('-');
    return digits();
  }

  std::string_view rest_;
};

}  // namespace

bool isLine(std::string_view text, int depth) {
  Scanner scanner(text);
  return scanner.value(depth) && scanner.atEnd() && isUtf8(text);
}

}  // namespace yett::json
