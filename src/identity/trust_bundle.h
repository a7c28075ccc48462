// The certificates that may vouch for identities, by trust domain. Immutable after create(); any thread.
#pragma once

#include <openssl/x509.h>

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::identity {

/// SHA-256 (bytes) of a certificate's DER.
std::string certificateDigest(X509* certificate);

class TrustBundles {
 public:
  /// `pems`: trust domain -> PEM text with one or more CA certificates. A certificate that is not a CA, or a block that
  /// is not a certificate, is an error; text between blocks is skipped.
  static Result<TrustBundles> create(const std::map<std::string, std::string>& pems);

  struct FreeStore {
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  };
  using Store = std::unique_ptr<X509_STORE, FreeStore>;
  /// The trust anchors of one trust domain.
  struct Bundle {
    Store all;
    /// One store for each anchor that shares its name with another: OpenSSL finds an issuer by name and tries only one.
    std::vector<Store> namesakes;
    std::set<std::string, std::less<>> anchors;  ///< SHA-256 (bytes) of each certificate's DER
    std::string digest;                          ///< of its PEM text
  };

  /// The bundle of this trust domain, or null: no other domain's certificates ever vouch for it.
  const Bundle* find(std::string_view trust_domain) const;
  /// SHA-256 (hex) over all domains and their certificates.
  const std::string& digest() const { return digest_; }

 private:
  std::map<std::string, Bundle, std::less<>> bundles_;
  std::string digest_;
};

}  // namespace yett::identity
