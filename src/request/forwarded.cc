#include "request/forwarded.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "identity/spiffe_id.h"
#include "request/xfcc.h"
#include "target/cidr.h"

namespace yett::request {
namespace {

std::string idOf(const ForwardedCaller& caller) {
  const bool one = caller.uris.size() == 1 && identity::SpiffeId::parse(caller.uris[0]);
  return one ? caller.uris[0] : "unknown";
}

// "10.0.0.1", "10.0.0.1:80", "[2001:db8::1]:80", "2001:db8::1"
std::string addressOf(std::string_view text) {
  if (text.starts_with('[')) text = text.substr(1, std::min(text.find(']'), text.size()) - 1);
  else if (std::count(text.begin(), text.end(), ':') == 1) text = text.substr(0, text.find(':'));
  const auto address = target::IpAddress::parse(text);
  return address ? address.value().text() : "";
}

}  // namespace

std::string joinedFields(const http::HeaderMap& headers, std::string_view name, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const auto& field : headers.fields()) {
    if (field.dropped || field.name != name) continue;
    if (!std::exchange(first, false)) out += separator;
    out += field.value;
  }
  return out;
}

policy::Forwarded readForwarded(const http::HeaderMap& headers, std::span<const std::string> trusted,
                                const std::string& source) {
  policy::Forwarded out;
  size_t forwarders = 1;
  const std::string certs = joinedFields(headers, "x-forwarded-client-cert", ",");
  auto callers =
      certs.empty() ? Result<std::vector<ForwardedCaller>>(std::vector<ForwardedCaller>()) : parseXfcc(certs);
  if (!callers) {
    out.via_error = out.ip_error = "x-forwarded-client-cert: " + callers.error().message;
    return out;
  }
  for (auto caller = callers.value().rbegin(); caller != callers.value().rend(); ++caller) {
    out.via.push_back(idOf(*caller));
    if (std::find(trusted.begin(), trusted.end(), out.via.back()) == trusted.end()) break;
    ++forwarders;
  }
  const std::string addresses = joinedFields(headers, "x-forwarded-for", ",");
  if (addresses.empty()) {
    out.client_ip = source;
    if (forwarders > 1) out.ip_error = "x-forwarded-for names fewer addresses than there are forwarders";
    return out;
  }
  const auto list = base::split(addresses, ',');
  if (list.size() < forwarders) out.ip_error = "x-forwarded-for names fewer addresses than there are forwarders";
  else out.client_ip = addressOf(base::trimmed(list[list.size() - forwarders]));
  if (out.ip_error.empty() && out.client_ip.empty()) out.ip_error = "x-forwarded-for does not name an address there";
  return out;
}

}  // namespace yett::request
