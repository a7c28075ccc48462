// Header fields that Yett adds to a request for the service, and that policy requires.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "authz/permit.h"
#include "base/uuid7.h"
#include "http/head.h"
#include "identity/principal.h"

namespace yett::proxy {

/// Facts about the connection. Views into data of the caller.
struct Provenance {
  const identity::Principal& principal;
  std::string_view certificate;  ///< in the form of x-forwarded-client-cert; "" for an anonymous caller
  std::string_view peer;         ///< address; "": none
  bool tls = false;
  std::span<const std::pair<std::string, std::string>> token_headers = {};  ///< unless policy sets them too
};

/// Header fields in addition to those that the client sent. Reused for other requests.
class Annotations {
 public:
  /// Call only once the request is permitted, so that nothing a client sent can appear next to these fields. Drops from
  /// `request` what is replaced or removed. `permit` must outlive the added fields.
  void make(http::RequestHead& request, const authz::Permit& permit, const Provenance& from);
  /// Adds one more; `value` must outlive this.
  void add(std::string_view name, std::string_view value) { added_.add(name, value); }
  const http::HeaderMap& added() const { return added_; }
  void clear();

 private:
  http::HeaderMap added_;
  std::string forwarded_for_;
  std::string forwarded_cert_;
};

}  // namespace yett::proxy
