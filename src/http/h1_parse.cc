#include "http/h1_parse.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "http/request_rules.h"

namespace yett::http {
namespace {

constexpr std::array<bool, 256> makeTokenChars() {
  std::array<bool, 256> is{};
  for (const unsigned char c : std::string_view("!#$%&'*+-.^_`|~")) is[c] = true;
  for (int c = '0'; c <= '9'; ++c) is[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) is[c] = is[c - 32] = true;
  return is;
}
constexpr auto kToken = makeTokenChars();

bool isToken(std::string_view text) {
  for (const unsigned char c : text) {
    if (!kToken[c]) return false;
  }
  return !text.empty();
}

bool isControl(unsigned char c) {
  return (c < 0x20 && c != '\t') || c == 0x7f;
}

// Checks eight bytes at a time; from the first suspicious word on, byte by byte.
bool hasControl(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const uint64_t del = word ^ (0x7f * kOnes);
    const uint64_t suspects = ((word - 0x20 * kOnes) & ~word) | ((del - kOnes) & ~del);
    if ((suspects & kHigh) != 0) break;  // it may be just a tab: check the rest byte by byte
  }
  return std::any_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), isControl);
}

// Takes the next line at `at`, without its CRLF. The head ends with an empty line, so there is always one.
bool takeLine(char*& at, const char* end, std::string_view& line) {
  char* lf = static_cast<char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
  if (lf == nullptr || lf == at || lf[-1] != '\r') return false;
  line = {at, static_cast<size_t>(lf - 1 - at)};
  at = lf + 1;
  return true;
}

// field-line = field-name ":" OWS field-value OWS (RFC 9112 5). No obs-fold. Whitespace before the colon is refused in
// a request and removed in a response (5.1).
ParseError parseField(std::string_view line, bool of_response, HeaderMap& out) {
  size_t colon = 0;
  char* bytes = const_cast<char*>(line.data());  // the head's own copy
  for (; colon < line.size() && kToken[static_cast<unsigned char>(line[colon])]; ++colon)
    bytes[colon] = base::toLower(bytes[colon]);
  const auto name = line.substr(0, colon);
  while (of_response && colon < line.size() && (line[colon] == ' ' || line[colon] == '\t')) ++colon;
  if (name.empty() || colon == line.size() || line[colon] != ':')
    return {400, "a header line that is not `name: value`"};
  const auto value = base::trimmed(line.substr(colon + 1));
  if (hasControl(value)) return {400, "a control character in a header value"};
  out.add(name, value);
  return {};
}

ParseError parseFields(char* at, const char* end, const Limits& limits, bool of_response, HeaderMap& out) {
  std::string_view line;
  for (;;) {
    if (!takeLine(at, end, line)) return {400, "a header line that does not end with CRLF"};
    if (line.empty()) return at == end ? ParseError{} : ParseError{400, "bytes after the head"};
    if (out.fields().size() >= limits.header_count) return {431, "too many header fields"};
    if (const auto error = parseField(line, of_response, out)) return error;
  }
}

// Content-Length and Transfer-Encoding (RFC 9112 6): at most one of them, once, in the form all readers agree on.
ParseError readFraming(Head& head) {
  int lengths = 0;
  int codings = 0;
  std::string_view coding;
  for (const auto& field : head.headers.fields()) {
    if (field.id == FieldId::kContentLength) {
      if (++lengths > 1) return {400, "more than one content-length"};
      if (!base::parseUnsigned(field.value, head.content_length) || head.content_length > (uint64_t{1} << 62)) {
        return {400, "a content-length that is not a number"};
      }
    } else if (field.id == FieldId::kTransferEncoding) {
      ++codings;
      coding = field.value;
    } else if (field.id == FieldId::kConnection) {
      if (listHasToken(field.value, "close")) head.keep_alive = false;
      else if (head.version == Version::kHttp10 && listHasToken(field.value, "keep-alive")) head.keep_alive = true;
    }
  }
  if (codings > 0) {
    if (lengths > 0) return {400, "both content-length and transfer-encoding"};
    if (head.version == Version::kHttp10) return {400, "transfer-encoding in HTTP/1.0"};
    if (codings > 1) return {400, "more than one transfer-encoding"};
    // RFC 9112 6.3: if `chunked` is not the last coding, the end of the message cannot be determined.
    const bool chunked_last = base::equalsIgnoreCase(base::trimmed(coding.substr(coding.rfind(',') + 1)), "chunked");
    if (!chunked_last) return {400, "a transfer-encoding that does not end with `chunked`"};
    if (coding.find(',') != std::string_view::npos) return {501, "a transfer-encoding other than `chunked`"};
    head.framing = Framing::kChunked;
  } else if (lengths > 0) {
    head.framing = Framing::kLength;
  }
  return {};
}

ParseError parseVersion(std::string_view text, Version& out) {
  // RFC 9110 2.5: an unknown minor version is treated as the highest known one.
  if (text == "HTTP/1.0") out = Version::kHttp10;
  else if (text.size() == 8 && text.starts_with("HTTP/1.") && text[7] >= '1' && text[7] <= '9') out = Version::kHttp11;
  else if (text.size() == 8 && text.starts_with("HTTP/")) return {505, "a version other than HTTP/1.0 and HTTP/1.1"};
  else return {400, "a start line without an HTTP version"};
  return {};
}

}  // namespace

size_t findHeadEnd(std::string_view bytes, size_t from, bool& bare_lf) {
  bare_lf = false;
  while (from < bytes.size()) {
    const void* lf = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
    if (lf == nullptr) return 0;
    const size_t at = static_cast<size_t>(static_cast<const char*>(lf) - bytes.data());
    if (at == 0 || bytes[at - 1] != '\r') {
      bare_lf = true;
      return 0;
    }
    if (at >= 3 && bytes[at - 2] == '\n') return at + 1;
    from = at + 1;
  }
  return 0;
}

static void skipBlanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

// False if there is no token.
static bool takeToken(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && kToken[static_cast<unsigned char>(text[size])]) ++size;
  text.remove_prefix(size);
  return size > 0;
}

static bool takeQuoted(std::string_view& text) {
  for (size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      text.remove_prefix(at + 1);
      return true;
    }
  }
  return false;
}

bool isChunkExtensions(std::string_view text) {
  if (hasControl(text)) return false;
  do {
    skipBlanks(text);
    if (!text.starts_with(';')) return false;
    text.remove_prefix(1);
    skipBlanks(text);
    if (!takeToken(text)) return false;
    auto value = text;
    skipBlanks(value);
    if (!value.starts_with('=')) continue;
    value.remove_prefix(1);
    skipBlanks(value);
    if (value.starts_with('"') ? !takeQuoted(value) : !takeToken(value)) return false;
    text = value;
  } while (!text.empty());
  return true;
}

ParseError parseRequest(std::string_view bytes, const Limits& limits, RequestHead& out) {
  if (bytes.size() > limits.head_bytes)
    return {bytes.find('\n') >= limits.head_bytes ? 414 : 431, "a head over the limit"};
  char* at = out.keep(bytes);
  const char* end = at + bytes.size();
  std::string_view line;
  if (!takeLine(at, end, line)) return {400, "a request line that does not end with CRLF"};
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return {400, "a request line that is not `method target version`"};
  out.method = line.substr(0, first);
  out.raw_target = line.substr(first + 1, last - first - 1);
  if (!isToken(out.method)) return {400, "a method that is not a token"};
  if (const auto error = parseVersion(line.substr(last + 1), out.version)) return error;
  if (out.raw_target.empty() || out.raw_target.find(' ') != std::string_view::npos)
    return {400, "a request line with more than two spaces"};
  out.keep_alive = out.version == Version::kHttp11;
  if (const auto error = parseFields(at, end, limits, false, out.headers)) return error;
  if (const auto error = readFraming(out)) return error;
  if (limits.body_bytes > 0 && out.framing == Framing::kLength && out.content_length > limits.body_bytes)
    return {413, "a body over the limit"};
  if (out.method == "CONNECT") return {501, "the method CONNECT, which is not supported"};
  return checkRequest(out);
}

ParseError parseResponse(std::string_view bytes, const Limits& limits, bool to_head, ResponseHead& out) {
  if (bytes.size() > limits.head_bytes) return {431, "a response head over `max_response_head`"};
  char* at = out.keep(bytes);
  const char* end = at + bytes.size();
  std::string_view line;
  if (!takeLine(at, end, line)) return {502, "a status line that does not end with CRLF"};
  // status-line = HTTP-version SP 3DIGIT SP [ reason ] (RFC 9112 4); the last space may be missing, as common servers
  // omit it.
  uint64_t status = 0;
  if (line.size() < 12 || line[8] != ' ' || !base::parseUnsigned(line.substr(9, 3), status) || status < 100 ||
      status > 599 || (line.size() > 12 && line[12] != ' ')) {
    return {502, "a status line that is not `HTTP/1.1 200 reason`"};
  }
  if (parseVersion(line.substr(0, 8), out.version)) return {502, "a response that is neither HTTP/1.0 nor HTTP/1.1"};
  out.status = static_cast<int>(status);
  out.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (hasControl(out.reason)) return {502, "a control character in the reason phrase"};
  out.keep_alive = out.version == Version::kHttp11;
  if (const auto error = parseFields(at, end, limits, true, out.headers))
    return error.status == 431 ? ParseError{431, "a response with more fields than `max_response_fields`"}
                               : ParseError{502, error.why};
  if (const auto error = readFraming(out)) return {502, error.why};
  const bool bodiless = out.status < 200 || out.status == 204 || out.status == 304;
  if ((out.status < 200 || out.status == 204) &&
      (out.framing == Framing::kChunked || (out.framing == Framing::kLength && out.content_length > 0))) {
    return {502, "a status without a body, but with framing for one"};
  }
  if (to_head || bodiless) {
    // The length that a GET would have given stays in the headers; there is no body (RFC 9110 8.6, 9.3.2).
    if (out.framing != Framing::kLength || out.status < 200 || out.status == 204) out.content_length = 0;
    out.framing = Framing::kNone;
  } else if (out.framing == Framing::kNone) {
    out.framing = Framing::kUntilClose;
    out.keep_alive = false;
  }
  return {};
}

ParseError parseTrailers(std::string_view bytes, const Limits& limits, bool of_response, Head& out) {
  char* at = out.keepTrailers(bytes);
  if (const auto error = parseFields(at, at + bytes.size(), limits, of_response, out.trailers)) return error;
  return checkTrailers(out.trailers);
}

}  // namespace yett::http
