#include "http/request_rules.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "base/text.h"
#include "target/host.h"

namespace yett::http {

namespace {

// Methods are case-sensitive (RFC 9110 9.1), but some services run `delete` as DELETE: a deny of DELETE would miss it.
ParseError checkMethod(RequestHead& head) {
  constexpr size_t kLongest = 64;
  if (head.method.size() > kLongest) return {501, "a method over 64 bytes"};
  if (std::none_of(head.method.begin(), head.method.end(), [](char c) { return c >= 'a' && c <= 'z'; })) return {};
  head.refusal = "a method that is not in upper case: write `";
  for (const char c : head.method.substr(0, 32)) head.refusal += base::toUpper(c);
  head.refusal += "`";
  return {400, head.refusal.c_str()};
}

// Some services use the charset of the content-type to decode everything, including the query (Django under WSGI). The
// charsets below keep ASCII unchanged, or encode ASCII only with NUL bytes. Others, such as UTF-7, escape-based
// charsets and EBCDIC, do not.
bool isPlainCharset(std::string_view name) {
  static constexpr std::string_view kPlain[] = {
      "utf-8",  "utf8",    "us-ascii", "ascii",    "latin1",   "latin-1", "shift_jis", "shift-jis",  "sjis",
      "euc-jp", "euc-kr",  "euc-cn",   "gb2312",   "gbk",      "gb18030", "big5",      "big5-hkscs", "koi8-r",
      "koi8-u", "tis-620", "utf-16",   "utf-16le", "utf-16be", "utf-32",  "utf-32le",  "utf-32be",   "binary"};
  const std::string lower = base::lowered(name);
  if (std::find(std::begin(kPlain), std::end(kPlain), lower) != std::end(kPlain)) return true;
  for (const std::string_view family : {"iso-8859-", "iso8859-", "windows-125", "cp125"}) {
    if (!lower.starts_with(family)) continue;
    const auto rest = std::string_view(lower).substr(family.size());
    return !rest.empty() && rest.size() <= 2 && rest.find_first_not_of("0123456789") == std::string_view::npos;
  }
  return false;
}

ParseError checkCharset(std::string_view content_type) {
  constexpr std::string_view kWord = "charset";
  for (size_t at = content_type.find(';'); at != std::string_view::npos; at = content_type.find(';', at + 1)) {
    auto rest = base::trimmed(content_type.substr(at + 1));
    if (rest.size() < kWord.size() || !base::equalsIgnoreCase(rest.substr(0, kWord.size()), kWord)) continue;
    rest = base::trimmed(rest.substr(kWord.size()));
    // Extended and continued parameters (RFC 2231) are valid only in some HTTP headers (RFC 8187); this is not one.
    if (rest.starts_with('*')) return {400, "a content-type with an extended or continued charset parameter"};
    if (!rest.starts_with('=')) continue;
    auto value = base::trimmed(rest.substr(1));
    value =
        value.starts_with('"') ? value.substr(1, value.find('"', 1) - 1) : value.substr(0, value.find_first_of("; \t"));
    if (!isPlainCharset(value))
      return {400, "a content-type with a charset that services could decode to other characters"};
  }
  return {};
}

}  // namespace

bool meansContent(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

// RFC 9110 8.6. Otherwise services respond with 411.
bool saysLengthZero(const RequestHead& head) {
  return head.framing == Framing::kNone && meansContent(head.method);
}

bool sameAuthority(std::string_view a, std::string_view host_a, std::string_view b, std::string_view host_b,
                   uint16_t port) {
  return host_a == host_b && target::portOf(a, port) == target::portOf(b, port);
}

ParseError checkRequest(RequestHead& out) {
  if (const auto error = checkMethod(out)) return error;
  int hosts = 0;
  bool upgrade = false;
  std::string_view host;
  for (const auto& field : out.headers.fields()) {
    if (field.id == FieldId::kHost) {
      ++hosts;
      host = field.value;
    } else if (field.id == FieldId::kExpect) {
      if (!base::equalsIgnoreCase(field.value, "100-continue"))
        return {417, "an expectation other than `100-continue`"};
      out.expects_continue = out.version != Version::kHttp10;
    } else if (field.id == FieldId::kUpgrade) {
      upgrade = true;
    } else if (field.name == "content-type" && field.value.find(';') != std::string_view::npos) {
      if (const auto error = checkCharset(field.value)) return error;
    }
  }
  if (hosts != 1) return {400, hosts == 0 ? "no host header" : "more than one host header"};
  if (!target::canonicalHost(host, out.host)) return {400, "a host header that is not a host"};
  std::string_view raw = out.raw_target;
  std::string completed;
  if (raw == "*" && out.method != "OPTIONS") return {400, "the target `*` with a method other than OPTIONS"};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (raw.size() < scheme.size() || !base::equalsIgnoreCase(raw.substr(0, scheme.size()), scheme)) continue;
    raw.remove_prefix(scheme.size());
    const auto authority = raw.substr(0, raw.find_first_of("/?"));
    std::string named;
    const uint16_t port = scheme == "http://" ? 80 : 443;
    if (!target::canonicalHost(authority, named) || !sameAuthority(authority, named, host, out.host, port))
      return {400, "a target and a host header that differ"};
    raw.remove_prefix(authority.size());
    if (raw.empty()) raw = out.method == "OPTIONS" ? "*" : "/";        // RFC 9112 3.2.4
    else if (raw[0] == '?') raw = completed = "/" + std::string(raw);  // RFC 9110 4.2.3: an empty path is `/`
    break;
  }
  if (auto made = target::canonicalize(raw, out.target); !made) {
    out.refusal = "a target that cannot be made canonical: " + made.error().message;
    out.target.clear();
    return {400, out.refusal.c_str()};
  }
  const bool no_body = out.framing == Framing::kNone || (out.framing == Framing::kLength && out.content_length == 0);
  if (upgrade && out.version == Version::kHttp11 && out.method == "GET" && no_body)
    out.wants_websocket = namesWebSocket(out.headers);
  if (out.wants_websocket) out.framing = Framing::kNone;
  if (saysLengthZero(out)) out.headers.add("content-length", "0");  // policy sees the same as the service
  return {};
}

ParseError checkTrailers(const HeaderMap& trailers) {
  for (const auto& field : trailers.fields()) {
    if ((field.id != FieldId::kOther && field.id != FieldId::kDate) || field.name == "authorization" ||
        field.name == "cookie" || field.name.starts_with("x-yett-")) {
      return {400, "a trailer field that is only allowed in the head"};
    }
  }
  return {};
}

}  // namespace yett::http
