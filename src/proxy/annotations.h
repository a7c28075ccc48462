// What Yett tells the service about a request, and what policy asks for.
#pragma once

#include <string>
#include <string_view>

#include "authz/permit.h"
#include "base/uuid7.h"
#include "http/head.h"
#include "identity/principal.h"

namespace yett::proxy {

/// Facts of the connection. Views: of whoever annotates.
struct Provenance {
  const identity::Principal& principal;
  std::string_view certificate;  ///< as x-forwarded-client-cert has it; "" of an anonymous caller
  std::string_view peer;         ///< address; "": none
  bool tls = false;
};

/// Header fields beside those that the client sent. Used again for other requests.
class Annotations {
 public:
  /// Only once the request is permitted, so that nothing a client sent can stand beside it: drops from `request` what
  /// is replaced or removed. `permit` outlives what was added.
  void make(http::RequestHead& request, const authz::Permit& permit, const Provenance& from);
  /// One more; `value` outlives this.
  void add(std::string_view name, std::string_view value) { added_.add(name, value); }
  const http::HeaderMap& added() const { return added_; }
  void clear();

 private:
  http::HeaderMap added_;
  std::string forwarded_for_;
  std::string forwarded_cert_;
};

}  // namespace yett::proxy
