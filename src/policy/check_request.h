// What a decision is asked about: plain data, views into the exchange that asks. The same for every engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "identity/principal.h"
#include "target/cidr.h"

namespace yett::policy {

struct Header {
  std::string_view name;  ///< lower case
  std::string_view value;
};

/// The body of a request whose route lets policy see it.
struct Body {
  bool complete = false;  ///< all of it is here; else nothing is
  std::string_view bytes;
  bool exact_names = false;                      ///< names that differ by case alone are told apart
  std::span<const std::string> json_types = {};  ///< content types that are JSON beside the common ones; in lower case
  bool awaited =
      false;  ///< it may come yet: a look whether anything can be allowed, taking what it may say as allowing
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
  const Body* body = nullptr;  ///< null: not for policy on this route
};

}  // namespace yett::policy
