#include "http/request_rules.h"

#include "base/text.h"
#include "target/host.h"

namespace yett::http {

ParseError checkRequest(RequestHead& out) {
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
    }
  }
  if (hosts != 1) return {400, hosts == 0 ? "no host header" : "more than one host header"};
  if (!target::canonicalHost(host, out.host)) return {400, "a host header that is no host"};
  std::string_view raw = out.raw_target;
  if (raw == "*" && out.method != "OPTIONS") return {400, "the target `*` with a method other than OPTIONS"};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (raw.size() < scheme.size() || !base::equalsIgnoreCase(raw.substr(0, scheme.size()), scheme)) continue;
    raw.remove_prefix(scheme.size());
    const auto authority = raw.substr(0, raw.find_first_of("/?"));
    std::string named;
    if (!target::canonicalHost(authority, named) || named != out.host)
      return {400, "a target and a host header that differ"};
    raw.remove_prefix(authority.size());
    if (raw.empty()) raw = "/";
    break;
  }
  if (!target::canonicalize(raw, out.target)) return {400, "a target that is not canonical and cannot be made so"};
  if (upgrade && out.version == Version::kHttp11 && out.method == "GET" && out.framing == Framing::kNone)
    out.wants_websocket = namesWebSocket(out.headers);
  return {};
}

ParseError checkTrailers(const HeaderMap& trailers) {
  for (const auto& field : trailers.fields()) {
    if (field.id != FieldId::kOther || field.name == "authorization" || field.name == "cookie" ||
        field.name.starts_with("x-yett-")) {
      return {400, "a trailer field that must stand in the head"};
    }
  }
  return {};
}

}  // namespace yett::http
