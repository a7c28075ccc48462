#include "http/h2_block.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "base/text.h"
#include "http/h1_parse.h"
#include "target/host.h"

namespace yett::http {

static constexpr size_t kCrumbsForEach = 10;  // crumbs per allowed field; each costs the peer only a byte

void H2Block::clear() {
  text_.clear();
  cookies_.clear();
  spans_.clear();
  pseudos_.clear();
  decoded_ = count_ = crumbs_ = 0;
  too_large_ = false;
}

void H2Block::add(std::string_view name, std::string_view value, const Limits& limits) {
  decoded_ += name.size() + value.size() + 32;  // as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 6.5.2)
  // Crumbs count as one field (RFC 9113 8.2.3), with the size it would have in HTTP/1.1.
  const bool crumb = name == "cookie" && !cookies_.empty();
  if (crumb) decoded_ -= name.size() + 32 - 2;
  if (crumb ? ++crumbs_ > kCrumbsForEach * limits.header_count : ++count_ > limits.header_count + 8) too_large_ = true;
  if (decoded_ > limits.head_bytes) too_large_ = true;
  if (too_large_) return;
  if (name == "cookie") {
    if (!cookies_.empty()) cookies_ += "; ";
    cookies_ += value;
    return;
  }
  const Span span{text_.size(), name.size(), text_.size() + name.size(), value.size()};
  text_ += name;
  text_ += value;
  (name.starts_with(':') ? pseudos_ : spans_).push_back(span);
}

std::string_view H2Block::pseudo(std::string_view name, const char* kept) const {
  for (const auto& span : pseudos_) {
    if (std::string_view(kept + span.name, span.name_size) == name) return {kept + span.value, span.value_size};
  }
  return {};
}

void H2Block::joinCookies() {
  if (cookies_.empty()) return;
  spans_.push_back({text_.size(), 6, text_.size() + 6, cookies_.size()});
  text_ += "cookie";
  text_ += cookies_;
}

void H2Block::fields(const char* kept, HeaderMap& out) const {
  for (const auto& span : spans_) {
    const std::string_view value(kept + span.value, span.value_size);
    out.add({kept + span.name, span.name_size}, base::trimmed(value));
  }
}

namespace {

// content-length must be one number; nghttp2 checks that the data match it (RFC 9113 8.1.1).
ParseError readLength(Head& head, bool ends) {
  size_t lengths = 0;
  for (const auto& field : head.headers.fields()) {
    if (field.id != FieldId::kContentLength) continue;
    if (++lengths > 1) return {400, "more than one content-length"};
    if (!base::parseUnsigned(field.value, head.content_length)) return {400, "a content-length that is not a number"};
  }
  if (lengths > 0) head.framing = Framing::kLength;
  else head.framing = ends ? Framing::kNone : Framing::kChunked;
  return {};
}

}  // namespace

ParseError H2Block::toRequest(bool ends, const Limits& limits, RequestHead& out) {
  out.version = Version::kHttp2;
  if (too_large_) return {431, "a head over the limit"};
  joinCookies();
  const char* kept = out.keep(text_);
  out.method = pseudo(":method", kept);
  out.raw_target = pseudo(":path", kept);
  const auto scheme = pseudo(":scheme", kept);
  auto authority = pseudo(":authority", kept);
  if (limits.unix_socket && authority.size() > 3 && base::equalsIgnoreCase(authority.substr(0, 3), "%2f"))
    authority = "localhost";
  const auto protocol = pseudo(":protocol", kept);
  if (out.method == "CONNECT" && protocol.empty()) return {501, "the method CONNECT, which is not supported"};
  if (out.method != "CONNECT" && !protocol.empty()) return {400, "a `:protocol` without CONNECT"};
  if (!protocol.empty() && protocol != "websocket") return {501, "a `:protocol` other than `websocket`"};
  if (scheme != "http" && scheme != "https") return {400, "a `:scheme` other than `http` and `https`"};
  if (out.raw_target.empty() || (out.raw_target[0] != '/' && out.raw_target != "*"))
    return {400, "a `:path` that does not begin with `/`"};
  fields(kept, out.headers);
  if (!authority.empty()) {
    // RFC 9113 8.3.1: Host may be sent along with :authority, but must agree with it.
    std::string named;
    if (!target::canonicalHost(authority, named)) return {400, "an `:authority` that is not a host"};
    for (const auto& field : out.headers.fields()) {
      std::string host;
      if (field.id != FieldId::kHost) continue;
      if (!target::canonicalHost(field.value, host) ||
          !sameAuthority(field.value, host, authority, named, scheme == "http" ? 80 : 443))
        return {400, "an `:authority` and a host header that differ"};
    }
    std::erase_if(out.headers.fields(), [](const HeaderField& field) { return field.id == FieldId::kHost; });
    out.headers.fields().insert(out.headers.fields().begin(), {"host", authority, FieldId::kHost, false});
  }
  if (out.headers.fields().size() > limits.header_count) return {431, "too many header fields"};
  if (const auto error = readLength(out, ends)) return error;
  if (limits.body_bytes > 0 && out.framing == Framing::kLength && out.content_length > limits.body_bytes)
    return {413, "a body over the limit"};
  if (!protocol.empty()) {
    if (ends || out.framing == Framing::kLength) return {400, "a WebSocket that ends with its head, or has a length"};
    out.method = "GET";
    out.framing = Framing::kNone;
    out.wants_websocket = true;
  }
  return checkRequest(out);
}

ParseError H2Block::toResponse(bool ends, bool to_head, ResponseHead& out) {
  out.version = Version::kHttp2;
  if (too_large_) return {431, "a response head over `max_response_head` or `max_response_fields`"};
  joinCookies();
  const char* kept = out.keep(text_);
  uint64_t status = 0;
  if (!base::parseUnsigned(pseudo(":status", kept), status) || status < 100 || status > 599)
    return {502, "a `:status` that is not a status code"};
  out.status = static_cast<int>(status);
  fields(kept, out.headers);
  if (readLength(out, ends)) return {502, "a response with a content-length that is not one number"};
  const bool bodiless = to_head || out.status < 200 || out.status == 204 || out.status == 304;
  if (bodiless || ends) {
    if (!bodiless && out.framing == Framing::kLength && out.content_length > 0)
      return {502, "a response that ends before its length"};
    if (out.framing != Framing::kLength || out.status < 200 || out.status == 204) out.content_length = 0;
    out.framing = Framing::kNone;
  }
  return {};
}

ParseError H2Block::toTrailers(Head& out) {
  if (too_large_) return {431, "trailers over the limit"};
  joinCookies();
  const char* kept = out.keepTrailers(text_);
  fields(kept, out.trailers);
  return checkTrailers(out.trailers);
}

H2Fields::H2Fields() = default;
H2Fields::~H2Fields() = default;

void H2Fields::add(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));  // nghttp2 copies
  };
  fields_.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
}

bool H2Fields::addAll(const HeaderMap& headers) {
  bool dated = false;
  for (const auto& field : headers.fields()) {
    if (field.dropped || isHopByHop(field.id) || field.id == FieldId::kHost) continue;
    add(field.name, field.value);
    dated = dated || field.id == FieldId::kDate;
  }
  return dated;
}

void H2Fields::addLength(uint64_t length) {
  const auto end = std::to_chars(digits_, digits_ + sizeof digits_, length).ptr;
  add("content-length", {digits_, static_cast<size_t>(end - digits_)});
}

void H2Fields::request(const RequestHead& head, const HeaderMap& added, std::string_view scheme) {
  fields_.clear();
  path_ = head.forwardPath();
  if (head.target.has_query) (path_ += '?') += head.target.query;
  std::string_view host;
  bool takes_trailers = false;
  for (const auto& field : head.headers.fields()) {
    if (field.id == FieldId::kHost) host = field.value;
    else if (field.id == FieldId::kTe && listHasToken(field.value, "trailers")) takes_trailers = true;
  }
  add(":method", head.wants_websocket ? std::string_view("CONNECT") : head.method);
  if (head.wants_websocket) add(":protocol", "websocket");
  add(":scheme", scheme);
  add(":authority", host);
  add(":path", path_);
  addAll(head.headers);
  if (takes_trailers) add("te", "trailers");  // the only value allowed (RFC 9113 8.2.2); gRPC needs it
  addAll(added);
  if (head.framing == Framing::kLength) addLength(head.content_length);
}

void H2Fields::response(const ResponseHead& head, const HeaderMap& added, bool with_length) {
  fields_.clear();
  const int status = head.framing == Framing::kTunnel ? 200 : head.status;  // RFC 8441 5
  std::to_chars(digits_ + 20, digits_ + 23, status);
  add(":status", {digits_ + 20, 3});
  const bool dated = addAll(head.headers);
  addAll(added);
  if (!dated && status >= 200) add("date", base::httpDate());
  if (head.framing == Framing::kLength) return addLength(head.content_length);
  if (!with_length) return;
  // A response to HEAD, or a 304: the length that a GET would have had, if the upstream sent one.
  for (const auto& field : head.headers.fields()) {
    if (field.id == FieldId::kContentLength) add(field.name, field.value);
  }
}

void H2Fields::trailers(const HeaderMap& trailers) {
  fields_.clear();
  addAll(trailers);
}

const nghttp2_nv* H2Fields::data() const {
  return fields_.data();
}
size_t H2Fields::size() const {
  return fields_.size();
}

}  // namespace yett::http
