// The input of a decision: plain data, views into the exchange. The same for every engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "identity/principal.h"
#include "policy/forwarded.h"
#include "policy/token.h"
#include "target/cidr.h"

namespace yett::policy {

struct Header {
  std::string_view name;  ///< lower case
  std::string_view value;
};

/// The body of a request whose route lets policy see it.
struct Body {
  bool complete = false;  ///< all of it is here; else none of it
  std::string_view bytes;
  bool exact_names = false;                      ///< names that differ only by case are distinct
  std::span<const std::string> json_types = {};  ///< content types that also count as JSON; in lower case
  bool awaited =
      false;  ///< it has not arrived: checks whether any body could be allowed; unknown values count as allowing
};

/// Views and pointers are valid while the decision is made. Headers are those the service will see.
struct CheckRequest {
  std::string_view listener;
  std::string_view method;
  std::string_view scheme;
  std::string_view host;      ///< canonical
  std::string_view path;      ///< canonical
  std::string_view raw_path;  ///< as sent, query included
  std::string_view protocol;
  std::string_view query;
  std::span<const Header> headers;
  const identity::Principal* principal = nullptr;
  target::IpAddress source;  ///< the socket's peer, never a header
  uint16_t source_port = 0;
  target::IpAddress destination;
  uint16_t destination_port = 0;
  std::string_view tls_version;
  std::string_view tls_cipher;
  std::string_view tls_sni;
  int64_t time_seconds = 0;
  std::span<const NamedToken> tokens;    ///< that were verified
  const Forwarded* forwarded = nullptr;  ///< null: nobody, or no certificate, is trusted there
  const Body* body = nullptr;            ///< null: not for policy on this route
};

}  // namespace yett::policy
