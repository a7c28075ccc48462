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

bool isPort(std::string_view text) {
  uint64_t number = 0;
  return base::parseUnsigned(text, number) && number <= 65'535;
}

// "10.0.0.1", "10.0.0.1:80", "[2001:db8::1]:80", "2001:db8::1"; "" if it is none of these.
std::string addressOf(std::string_view text) {
  std::string_view host = text;
  if (text.starts_with('[')) {
    const auto close = std::min(text.find(']'), text.size());
    const std::string_view rest = text.substr(std::min(close + 1, text.size()));
    if (!rest.empty() && (rest[0] != ':' || !isPort(rest.substr(1)))) return "";
    host = text.substr(1, close - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    host = text.substr(0, text.find(':'));
    if (!isPort(text.substr(host.size() + 1))) return "";
  }
  const auto address = target::IpAddress::parse(host);
  return address ? address.value().text() : "";
}

// What the parser quotes may be of a person's certificate.
std::string withoutQuotes(const std::string& message) {
  std::string out = message.substr(0, message.find('`'));
  for (const std::string_view end : {" for ", " ", ":"}) {
    if (out.ends_with(end)) out.resize(out.size() - end.size());
  }
  return out.size() < message.size() ? out + " (at a character that is not shown here)" : out;
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

policy::Forwarded readForwarded(const http::HeaderMap& headers, std::span<const std::string> trusted) {
  policy::Forwarded out;
  size_t forwarders = 1;
  const std::string certs = joinedFields(headers, "x-forwarded-client-cert", ",");
  auto callers =
      certs.empty() ? Result<std::vector<ForwardedCaller>>(std::vector<ForwardedCaller>()) : parseXfcc(certs);
  if (!callers) {
    out.via_error = out.ip_error = "x-forwarded-client-cert: " + withoutQuotes(callers.error().message);
    return out;
  }
  for (auto caller = callers.value().rbegin(); caller != callers.value().rend(); ++caller) {
    out.via.push_back(idOf(*caller));
    if (std::find(trusted.begin(), trusted.end(), out.via.back()) == trusted.end()) break;
    ++forwarders;
  }
  const std::string addresses = joinedFields(headers, "x-forwarded-for", ",");
  const auto list = base::split(addresses, ',');
  if (addresses.empty()) out.ip_error = "the forwarder sent no x-forwarded-for";
  else if (list.size() < forwarders) out.ip_error = "x-forwarded-for names fewer addresses than there are forwarders";
  else out.client_ip = addressOf(base::trimmed(list[list.size() - forwarders]));
  if (out.ip_error.empty() && out.client_ip.empty()) out.ip_error = "x-forwarded-for does not name an address there";
  return out;
}

}  // namespace yett::request
