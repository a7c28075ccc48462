#include "request/question.h"

#include <netinet/in.h>

#include "target/cidr.h"

namespace yett::request {
namespace {

uint16_t portOf(const sockaddr* address) {
  if (address->sa_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  if (address->sa_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  return 0;
}

}  // namespace

void Arrival::setSource(const sockaddr* peer) {
  source = target::IpAddress::fromSocket(peer);
  source_port = portOf(peer);
}

void Arrival::setDestination(const sockaddr* local) {
  destination = target::IpAddress::fromSocket(local);
  destination_port = portOf(local);
}

std::string_view protocolName(http::Version version) {
  switch (version) {
    case http::Version::kHttp10: return "HTTP/1.0";
    case http::Version::kHttp11: return "HTTP/1.1";
    case http::Version::kHttp2: return "HTTP/2";
  }
  return "";
}

void visibleHeaders(const http::HeaderMap& headers, std::vector<policy::Header>& out) {
  out.clear();
  for (const auto& field : headers.fields()) {
    if (!field.dropped) out.push_back({field.name, field.value});
  }
}

policy::CheckRequest question(const http::RequestHead& head, const Arrival& arrival,
                              std::span<const policy::Header> headers, int64_t time_seconds, const policy::Body* body) {
  policy::CheckRequest check;
  check.listener = arrival.listener;
  check.method = head.method;
  check.scheme = arrival.scheme;
  check.host = head.host;
  check.path = head.target.path;
  check.raw_path = head.raw_target;
  check.protocol = protocolName(head.version);
  check.query = head.target.query;
  check.headers = headers;
  check.principal = arrival.principal;
  check.source = arrival.source;
  check.source_port = arrival.source_port;
  check.destination = arrival.destination;
  check.destination_port = arrival.destination_port;
  check.tls_version = arrival.tls_version;
  check.tls_cipher = arrival.tls_cipher;
  check.tls_sni = arrival.tls_sni;
  check.time_seconds = time_seconds;
  check.body = body;
  return check;
}

policy::CheckRequest question(const RecordedHead& head) {
  policy::CheckRequest check;
  check.listener = head.listener;
  check.method = head.method;
  check.host = head.host;
  check.path = head.path;
  check.raw_path = head.raw_path;
  check.protocol = head.protocol;
  check.query = head.query;
  check.principal = head.principal;
  check.source = head.source;
  check.time_seconds = head.time_seconds;
  return check;
}

}  // namespace yett::request
