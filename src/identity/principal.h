// Who calls: made once per connection, immutable, shared by its exchanges.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace yett::identity {

struct Principal {
  enum class Kind { kAnonymous, kX509Svid };
  Kind kind = Kind::kAnonymous;
  std::string id;                  ///< the SPIFFE ID, or "" when anonymous
  std::string trust_domain;        ///< "" when anonymous
  std::string path;                ///< of the SPIFFE ID, with its leading '/'
  std::string certificate_sha256;  ///< hex, of the leaf's DER
  // Of the chain that was verified, up to and with the trust anchor; seconds since 1970.
  int64_t valid_from = 0;     ///< the latest beginning in it
  int64_t expires = 0;        ///< the earliest end in it: from that second on it counts no more
  std::string anchor_sha256;  ///< bytes, of the trust anchor's DER

  bool anonymous() const { return kind == Kind::kAnonymous; }
  std::string_view kindName() const { return anonymous() ? "anonymous" : "x509-svid"; }
};

}  // namespace yett::identity
