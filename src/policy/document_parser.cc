// Document::parse: a recursive-descent parser of RFC 8259. Sorts objects, so the work grows only with the text.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/json.h"
#include "base/text.h"
#include "policy/document.h"
#include "policy/name_fold.h"

namespace yett::policy {

using Kind = Node::Kind;

static constexpr double kLargest = 9007199254740991;  // 2^53-1

class DocumentParser {
 public:
  DocumentParser(Document& out, std::string_view text, const Document::Limits& limits)
      : out_(out),
        begin_(text.data()),
        at_(begin_),
        end_(begin_ + text.size()),
        left_(limits.values),
        depth_(limits.depth) {}

  Status run() {
    if (value(out_.root_) && (skipBlanks(), at_ != end_)) fail("unexpected text after the document");
    if (why_ == nullptr) return {};
    return Error{"line " + std::to_string(1 + std::count(begin_, at_, '\n')) + ": " + why_};
  }

 private:
  bool fail(const char* why) {
    if (why_ == nullptr) why_ = why;
    return false;
  }

  // RFC 8259 2: space, tab, line feed, carriage return.
  void skipBlanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool value(Node& out) {
    skipBlanks();
    if (at_ == end_) return fail("the document ends too early");
    if (left_-- == 0) return fail("too many values");
    switch (*at_) {
      case '{': return container(out, '}', &DocumentParser::members);
      case '[': return container(out, ']', &DocumentParser::items);
      case '"': out.kind = Kind::kString; return string(out.text, out.size);
      case 't': out.flag = true; return word("true", Kind::kBool, out);
      case 'f': out.flag = false; return word("false", Kind::kBool, out);
      case 'n': return word("null", Kind::kNull, out);
      default: return number(out);
    }
  }

  bool word(std::string_view word, Kind kind, Node& out) {
    out.kind = kind;
    if (!std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(word)) return fail("an invalid value");
    at_ += word.size();
    return true;
  }

  bool container(Node& out, char close, bool (DocumentParser::*read)(Node&)) {
    ++at_;
    if (--depth_ < 0) return fail("nested too deep");
    skipBlanks();
    out.kind = close == '}' ? Kind::kObject : Kind::kList;
    out.flag = false;
    out.size = 0;
    out.items = nullptr;
    if (!take(close) && !(this->*read)(out)) return false;
    ++depth_;
    return true;
  }

  // After a value: true if another one follows.
  bool more(char close) {
    skipBlanks();
    if (take(',')) return true;
    if (!take(close)) fail("no comma or closing bracket after a value");
    return false;
  }

  bool items(Node& out) {
    const size_t first = out_.nodes_.size();
    bool null = false;
    do {
      Node item;
      if (!value(item)) return false;
      null = null || item.kind == Kind::kNull;
      out_.nodes_.push_back(item);
    } while (more(']'));
    if (why_ != nullptr) return false;
    out.size = static_cast<uint32_t>(out_.nodes_.size() - first);
    out.flag = null;
    out.items = out_.arena_.copy(out_.nodes_.data() + first, out.size);
    out_.nodes_.resize(first);
    return true;
  }

  bool members(Node& out) {
    const size_t first = out_.members_.size();
    do {
      Member member;
      skipBlanks();
      if (at_ == end_ || *at_ != '"') return fail("a missing name in an object");
      if (!string(member.name, member.name_size)) return false;
      skipBlanks();
      if (!take(':')) return fail("no colon after a name");
      if (!value(member.value)) return false;
      member.fold = foldHash(member.text());
      out_.members_.push_back(member);
    } while (more('}'));
    if (why_ != nullptr || !arrange(first)) return false;
    out.size = static_cast<uint32_t>(out_.members_.size() - first);
    out.members = out_.arena_.copy(out_.members_.data() + first, out.size);
    out_.members_.resize(first);
    return true;
  }

  // Sorts by fold hash, then by name, so that similar names are adjacent.
  bool arrange(size_t first) {
    const auto begin = out_.members_.begin() + static_cast<std::ptrdiff_t>(first);
    const auto before = [](const Member& a, const Member& b) {
      return a.fold != b.fold ? a.fold < b.fold : a.text() < b.text();
    };
    std::sort(begin, out_.members_.end(), before);
    const auto twice = std::adjacent_find(begin, out_.members_.end(), [](const Member& a, const Member& b) {
      return a.fold == b.fold && a.text() == b.text();
    });
    return twice == out_.members_.end() || fail("an object with a duplicate name");
  }

  bool string(const char*& text, uint32_t& size) {
    const char* from = ++at_;
    bool ascii = true;
    if (!scan(ascii)) return false;
    if (at_ != end_ && *at_ == '"') {
      text = from;
      size = static_cast<uint32_t>(at_ - from);
      ++at_;
      return ascii || json::isUtf8({text, size}) || fail("bytes that are invalid UTF-8");
    }
    return unescape(from, text, size);
  }

  // Advances to a quote or a backslash.
  bool scan(bool& ascii) {
    for (; at_ != end_ && *at_ != '"' && *at_ != '\\'; ++at_) {
      if (static_cast<unsigned char>(*at_) < 0x20) return fail("a control character in a string");
      ascii = ascii && static_cast<signed char>(*at_) >= 0;
    }
    return at_ != end_ || fail("an unterminated string");
  }

  // A string with a backslash at `at_`.
  bool unescape(const char* from, const char*& text, uint32_t& size) {
    scratch_.assign(from, at_);
    bool ascii = true;
    for (;;) {
      const char* plain = at_;
      if (!scan(ascii)) return false;
      scratch_.append(plain, at_);
      if (*at_++ == '"') break;
      if (!escape()) return false;
    }
    if (!json::isUtf8(scratch_)) return fail("bytes that are invalid UTF-8");
    const auto kept = out_.arena_.copy(std::string_view(scratch_));
    text = kept.data();
    size = static_cast<uint32_t>(kept.size());
    return true;
  }

  bool escape() {
    static constexpr std::string_view kFrom = "\"\\/bfnrt";
    static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    if (at_ == end_) return fail("an unterminated string");
    const char c = *at_++;
    if (c != 'u') {
      const auto which = kFrom.find(c);
      if (which == std::string_view::npos) return fail("an invalid escape");
      scratch_ += kTo[which];
      return true;
    }
    uint32_t code = 0;
    if (!hex4(code)) return false;
    if (code >= 0xdc00 && code < 0xe000) return fail("a lone surrogate");
    if (code >= 0xd800 && code < 0xdc00) {
      uint32_t low = 0;
      if (!take('\\') || !take('u') || !hex4(low) || low < 0xdc00 || low >= 0xe000) return fail("a lone surrogate");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append(code);
    return true;
  }

  bool hex4(uint32_t& out) {
    if (end_ - at_ < 4) return fail("an invalid escape");
    for (int i = 0; i < 4; ++i) {
      const int digit = base::hexValue(*at_++);
      if (digit < 0) return fail("an invalid escape");
      out = out << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  void append(uint32_t code) {
    if (code < 0x80) {
      scratch_ += static_cast<char>(code);
      return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static constexpr unsigned char kLead[] = {0, 0xc0, 0xe0, 0xf0};
    scratch_ += static_cast<char>(kLead[more] | code >> (6 * more));
    for (int i = more - 1; i >= 0; --i) scratch_ += static_cast<char>(0x80 | (code >> (6 * i) & 0x3f));
  }

  static bool isDigit(char c) { return c >= '0' && c <= '9'; }
  bool digits() {
    const char* from = at_;
    while (at_ != end_ && isDigit(*at_)) ++at_;
    return at_ != from;
  }

  // RFC 8259 6.
  bool number(Node& out) {
    const char* from = at_;
    (void)take('-');
    if (at_ == end_ || !isDigit(*at_)) return fail("an invalid value");
    if (!take('0')) digits();
    else if (at_ != end_ && isDigit(*at_)) return fail("a number with a leading zero");
    const char* whole = at_;
    if (take('.') && !digits()) return fail("a number without digits after the decimal point");
    if (take('e') || take('E')) {
      if (!take('-')) (void)take('+');
      if (!digits()) return fail("a number without digits in its exponent");
    }
    if (whole == at_ && whole - from <= 15) {  // what fits for sure
      out.kind = Kind::kInteger;
      std::from_chars(from, at_, out.integer);
      return true;
    }
    double real = 0;
    if (std::from_chars(from, at_, real).ec != std::errc()) real = std::strtod(std::string(from, at_).c_str(), nullptr);
    // Parsers that use doubles agree on integers up to this size; beyond it, parsers differ.
    const bool integral = !(std::fabs(real) > kLargest) && real == std::trunc(real);
    out.kind = integral ? Kind::kInteger : std::fabs(real) > kLargest ? Kind::kTooLarge : Kind::kReal;
    if (integral) out.integer = static_cast<int64_t>(real);
    else out.real = real;
    return true;
  }

  Document& out_;
  const char* const begin_;
  const char* at_;
  const char* const end_;
  size_t left_;
  int depth_;
  const char* why_ = nullptr;
  std::string scratch_;
};

Status Document::parse(std::string_view text, const Limits& limits) {
  clear();
  auto done = DocumentParser(*this, text, limits).run();
  if (!done) clear();
  return done;
}

void Document::clear() {
  arena_.clear();
  nodes_.clear();
  members_.clear();
  root_ = {};
}

}  // namespace yett::policy
