// The only place that makes a CheckRequest: from a parsed head and its connection, or from a record.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "identity/principal.h"
#include "policy/check_request.h"
#include "target/cidr.h"

namespace yett::request {

/// Facts about the connection. Views into data of the caller.
struct Arrival {
  std::string_view listener;
  std::string_view scheme;
  const identity::Principal* principal = nullptr;
  target::IpAddress source;  ///< the socket's peer
  uint16_t source_port = 0;
  target::IpAddress destination;
  uint16_t destination_port = 0;
  std::string_view tls_version;
  std::string_view tls_cipher;
  std::string_view tls_sni;

  void setSource(const sockaddr* peer);
  void setDestination(const sockaddr* local);
};

/// The name in policy and logs.
std::string_view protocolName(http::Version version);

/// The header fields that the service will see: those that are not dropped.
void visibleHeaders(const http::HeaderMap& headers, std::vector<policy::Header>& out);

/// A question about a request. Views point into all arguments. `body`: null if policy may not see it.
policy::CheckRequest question(const http::RequestHead& head, const Arrival& arrival,
                              std::span<const policy::Header> headers, int64_t time_seconds, const policy::Body* body);

/// What a record keeps of a request. The rest stays empty; only policy::Recorded knows more.
struct RecordedHead {
  std::string_view listener, method, host, path, raw_path, protocol;
  std::string_view query;  ///< "" if it is unknown
  const identity::Principal* principal = nullptr;
  target::IpAddress source;
  int64_t time_seconds = 0;
};
policy::CheckRequest question(const RecordedHead& head);

}  // namespace yett::request
