#include "proxy/headers.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace yett::proxy {
namespace {

// A name as sloppy readers see it (CGI and its heirs): `_` and `.` are `-`.
std::string_view folded(std::string_view name, std::array<char, 48>& out) {
  name = name.substr(0, out.size());  // no name that matters is longer
  for (size_t i = 0; i < name.size(); ++i) out[i] = name[i] == '_' || name[i] == '.' ? '-' : name[i];
  return {out.data(), name.size()};
}

constexpr std::string_view kForwarded[] = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert"};
constexpr std::string_view kNeverBelieved[] = {
    "forwarded",         "x-forwarded-host", "x-forwarded-port",       "x-forwarded-prefix", "x-forwarded-server",
    "x-real-ip",         "x-client-ip",      "x-cluster-client-ip",    "true-client-ip",     "x-original-url",
    "x-rewrite-url",     "x-original-uri",   "x-http-method-override", "x-http-method",      "x-method-override",
    "x-ssl-client-cert", "x-original-host",  "x-original-method"};

template <size_t N>
bool in(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool mayMatter(std::string_view name) {
  return name[0] == 'x' || name[0] == 'f' || name[0] == 't' || name.find_first_of("_.") != std::string_view::npos;
}

bool isAny(std::string_view name, std::initializer_list<std::string_view> lower_names) {
  return std::any_of(lower_names.begin(), lower_names.end(),
                     [&](std::string_view lower) { return base::equalsIgnoreCase(name, lower); });
}

void dropListed(http::HeaderMap& headers) {
  for (const auto& connection : headers.fields()) {
    if (connection.id != http::FieldId::kConnection) continue;
    for (std::string_view rest = connection.value; !rest.empty();) {
      const auto comma = rest.find(',');
      const auto name = base::trimmed(rest.substr(0, comma));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      if (isAny(name, {"close", "keep-alive", "host"})) continue;
      for (auto& field : headers.fields()) {
        if (base::equalsIgnoreCase(field.name, name)) field.dropped = true;
      }
    }
  }
}

}  // namespace

bool isNamed(std::string_view name, std::span<const std::string> names) {
  const auto same = [](char a, char b) {
    const auto folded = [](char c) { return c == '_' || c == '.' ? '-' : c; };
    return folded(a) == folded(b);
  };
  return std::any_of(names.begin(), names.end(), [&](const std::string& own) {
    return std::equal(name.begin(), name.end(), own.begin(), own.end(), same);
  });
}

void dropNamed(http::HeaderMap& headers, std::span<const std::string> names) {
  for (auto& field : headers.fields()) {
    if (isNamed(field.name, names)) field.dropped = true;
  }
}

void dropUntrusted(http::RequestHead& head, bool trusted, std::span<const std::string> owned) {
  std::array<char, 48> buffer;
  bool listed = false;
  bool trace_ok = true;
  for (auto& field : head.headers.fields()) {
    if (field.id == http::FieldId::kConnection) listed = true;
    if (http::isHopByHop(field.id)) field.dropped = true;
    if (field.id == http::FieldId::kExpect && !head.expects_continue) field.dropped = true;
    if (field.id != http::FieldId::kOther || !mayMatter(field.name)) continue;
    const auto name = folded(field.name, buffer);
    if (name.starts_with("x-yett-") || in(kNeverBelieved, name) || http::fieldId(name) != http::FieldId::kOther)
      field.dropped = true;
    else if (in(kForwarded, name)) field.dropped = !trusted || name != field.name;
    else if (name == "x-request-id") field.dropped = name != field.name || !validRequestId(field.value);
    else if (name == "traceparent" && !validTraceParent(field.value)) trace_ok = false;
  }
  if (listed) dropListed(head.headers);
  if (!owned.empty()) dropNamed(head.headers, owned);
  if (trace_ok) return;
  for (auto& field : head.headers.fields()) {
    if (field.name == "traceparent" || field.name == "tracestate") field.dropped = true;
  }
}

void dropUntrustedTrailers(http::RequestHead& head, std::span<const std::string> owned) {
  std::array<char, 48> buffer;
  for (auto& field : head.trailers.fields()) {
    const auto name = folded(field.name, buffer);
    if (name.starts_with("x-yett-") || in(kNeverBelieved, name) || in(kForwarded, name)) field.dropped = true;
  }
  dropNamed(head.trailers, owned);
}

void dropFromResponse(http::ResponseHead& head) {
  bool listed = false;
  for (auto& field : head.headers.fields()) {
    if (field.id == http::FieldId::kConnection) listed = true;
    if (http::isHopByHop(field.id) && field.id != http::FieldId::kContentLength) field.dropped = true;
    if (field.name.starts_with("x-yett-")) field.dropped = true;
  }
  if (listed) dropListed(head.headers);
}

bool validTraceParent(std::string_view v) {
  if (v.size() != 55 || v.substr(0, 3) != "00-" || v[35] != '-' || v[52] != '-') return false;
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  for (const auto part : {v.substr(3, 32), v.substr(36, 16), v.substr(53, 2)}) {
    if (!std::all_of(part.begin(), part.end(), hex)) return false;
  }
  return v.substr(3, 32).find_first_not_of('0') != std::string_view::npos &&
         v.substr(36, 16).find_first_not_of('0') != std::string_view::npos;
}

bool validRequestId(std::string_view value) {
  return !value.empty() && value.size() <= 128 &&
         std::all_of(value.begin(), value.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace yett::proxy
