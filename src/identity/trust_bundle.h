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
  /// `pems`: trust domain -> PEM text with one CA certificate or more. A certificate in it that is no CA's is an error;
  /// what is no certificate is passed over.
  static Result<TrustBundles> create(const std::map<std::string, std::string>& pems);

  struct FreeStore {
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  };
  using Store = std::unique_ptr<X509_STORE, FreeStore>;
  /// What vouches for one trust domain.
  struct Bundle {
    Store all;
    /// Of anchors that share their name one store each: OpenSSL looks for an issuer by name and tries one of them only.
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
