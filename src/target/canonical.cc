#include "target/canonical.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace yett::target {
namespace {

enum CharClass : unsigned char {
  kRefused,  // CTL, SP, DEL, bytes over 0x7e, '#', '\\': 400
  kPlain,    // allowed unescaped in a segment (pchar of RFC 3986 3.3)
  kEscaped,  // forbidden by RFC 3986 but sent raw by common clients: escaped
  kSlash,
  kPercent,
  kParameter,
};

constexpr std::array<CharClass, 256> makeClasses() {
  std::array<CharClass, 256> classes{};
  for (const unsigned char c : std::string_view("\"<>^`{|}[]")) classes[c] = kEscaped;
  for (const unsigned char c : std::string_view("-._~!$&'()*+,=:@")) classes[c] = kPlain;
  for (int c = 'a'; c <= 'z'; ++c) classes[c] = kPlain;
  for (int c = 'A'; c <= 'Z'; ++c) classes[c] = kPlain;
  for (int c = '0'; c <= '9'; ++c) classes[c] = kPlain;
  classes['/'] = kSlash;
  classes['%'] = kPercent;
  classes[';'] = kParameter;
  return classes;
}
constexpr auto kClasses = makeClasses();

void appendEscape(std::string& out, unsigned char c) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  out += '%';
  out += kDigits[c >> 4];
  out += kDigits[c & 15];
}

constexpr size_t kNowhere = std::string::npos;

// Ends the segment that begins at `start` in `path`. Its parameters begin at `parameter`, or were removed (`cut`).
Status endSegment(std::string& path, size_t start, size_t parameter, bool cut, bool last) {
  const std::string_view segment(path.data() + start, std::min(parameter, path.size()) - start);
  const bool dots = segment == "." || segment == "..";
  // Some services decode escapes before they remove parameters.
  if (segment.starts_with(".%3B") || segment.starts_with("..%3B")) return Error{"a dot segment with parameters"};
  if (dots && cut) return Error{"a dot segment with parameters"};
  if (segment == "..") {
    if (start < 2) return Error{"a path with `..` that leads above its root"};
    path.resize(path.rfind('/', start - 2) + 1);
  } else if (segment == "." || (segment.empty() && parameter != kNowhere)) {
    path.resize(start);
  } else if (!segment.empty() && !last) {
    path += '/';
  }
  return {};
}

Status canonicalizePath(std::string_view raw, bool keep_parameters, std::string& path, bool& encoded_slash) {
  path += '/';
  size_t start = 1;             // of the current segment in path
  size_t parameter = kNowhere;  // of its parameters in path, if they are kept
  bool cut = false;             // inside a parameter that is not kept
  for (size_t i = 1; i < raw.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(raw[i]);
    CharClass kind = kClasses[c];
    bool escape = kind == kEscaped;
    if (kind == kPercent) {
      const int high = i + 2 < raw.size() ? base::hexValue(raw[i + 1]) : -1;
      const int low = high >= 0 ? base::hexValue(raw[i + 2]) : -1;
      if (low < 0) return Error{"a `%` without two hex digits"};
      c = static_cast<unsigned char>(high * 16 + low);
      i += 2;
      if (c < 0x20 || c == 0x7f) return Error{"an encoded control character"};
      if (c == '/' || c == '\\') encoded_slash = true;
      // A character allowed in a segment and its escape are the same value: services decode both alike.
      escape = kClasses[c] != kPlain;
      kind = kPlain;
    }
    if (kind == kRefused)
      return Error{"a character that is not allowed in a path: `" + base::printable(raw.substr(i, 1)) + "`"};
    if (kind == kSlash) {
      TRY(endSegment(path, start, parameter, cut, false));
      start = path.size();
      parameter = kNowhere;
      cut = false;
    } else if (kind == kParameter && keep_parameters) {
      if (parameter == kNowhere) parameter = path.size();
      path += ';';
    } else if (kind == kParameter) {
      cut = true;
    } else if (!cut) {
      if (escape) appendEscape(path, c);
      else path += static_cast<char>(c);
    }
  }
  return endSegment(path, start, parameter, cut, true);
}

}  // namespace

void Target::clear() {
  path.clear();
  parameters.clear();
  query.clear();
  has_query = encoded_slash = false;
}

Status canonicalize(std::string_view raw, Target& out) {
  out.clear();
  if (raw == "*") {
    out.path = "*";
    return {};
  }
  if (raw.empty() || raw[0] != '/') return Error{"a target that does not begin with `/`"};
  const auto mark = raw.find('?');
  if (mark != std::string_view::npos) {
    out.has_query = true;
    for (const unsigned char c : raw.substr(mark + 1)) {
      if (c <= 0x20 || c >= 0x7f || c == '#') {
        return Error{"a character that is not allowed in a query: `" +
                     base::printable({reinterpret_cast<const char*>(&c), 1}) + "`"};
      }
    }
    out.query = raw.substr(mark + 1);
    if (out.query.find("%00") != std::string::npos) return Error{"an encoded NUL in a query"};
  }
  const auto path = raw.substr(0, mark);
  TRY(canonicalizePath(path, false, out.path, out.encoded_slash));
  if (path.find(';') == std::string_view::npos) return {};
  TRY(canonicalizePath(path, true, out.parameters, out.encoded_slash));
  if (out.parameters.find(';') == std::string::npos) out.parameters.clear();
  return {};
}

void appendSegmentByte(std::string& path, unsigned char c) {
  if (kClasses[c] == kPlain) path += static_cast<char>(c);
  else appendEscape(path, c);
}

Result<std::string> canonicalLiteral(std::string_view path) {
  Target target;
  if (path.find_first_of("?#;") != std::string_view::npos) return Error{"a path must not contain `?`, `#` or `;`"};
  TRY(canonicalize(path, target));
  return std::move(target.path);
}

}  // namespace yett::target
