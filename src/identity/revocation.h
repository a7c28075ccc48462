// Which certificates their issuers have revoked: CRLs (RFC 5280 section 5) of one trust domain.
#pragma once

#include <openssl/x509.h>

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/bundle_content.h"
#include "identity/principal.h"

namespace yett::identity {

/// How a CRL names a certificate that `issuer` has issued.
CertificateLink linkOf(const X509* certificate, const X509* issuer);

/// Immutable after read(); any thread.
class Revocations {
 public:
  /// `pem`: CRLs, and the certificates of intermediate authorities that issued some of them. A CRL that none of these
  /// and none of `authorities` has signed is not used, and neither is an intermediate that no authority vouches for
  /// now: unused() says so. It must not be an error, since an authority that leaves the bundle would stay in force.
  /// Errors: a weak signature, a CRL that is not valid yet or has no next update, and CRLs that cover only a part of an
  /// issuer's certificates (delta, indirect).
  static Result<Revocations> read(std::string_view pem, const std::vector<Certificate>& authorities, int64_t now);

  /// What was not used and why; "": all was.
  const std::string& unused() const { return unused_; }
  bool revoked(std::span<const CertificateLink> chain) const;
  /// The earliest next update among the CRLs of the chain's issuers, in seconds since 1970; 0: an issuer has none.
  int64_t currentUntil(std::span<const CertificateLink> chain) const;
  /// The earliest next update of all, and when that CRL was made; 0: no CRL is used.
  int64_t nextUpdate() const { return first().next_update; }
  int64_t lastUpdate() const { return first().this_update; }
  size_t count() const;  ///< of revoked certificates

 private:
  // Of one issuer; several CRLs (with old and new keys) are joined.
  struct Issuer {
    std::set<std::string> serials;
    int64_t this_update = 0;  // of the newest
    int64_t next_update = 0;
  };
  Issuer first() const;
  std::map<std::string, Issuer> issuers_;  // by the subject of the authority
  std::string unused_;
};

}  // namespace yett::identity
