// The certificates that may vouch for identities, by trust domain. Immutable after create(); any thread.
#pragma once

#include <openssl/x509.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::identity {

class TrustBundles {
 public:
  /// `pems`: trust domain -> PEM text with one CA certificate or more. Anything in it that is no CA is an error.
  static Result<TrustBundles> create(const std::map<std::string, std::string>& pems);

  /// The store of this trust domain, or null: no other domain's certificates ever vouch for it.
  X509_STORE* find(std::string_view trust_domain) const;
  /// SHA-256 (hex) over all domains and their certificates.
  const std::string& digest() const { return digest_; }

 private:
  struct FreeStore {
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  };
  std::map<std::string, std::unique_ptr<X509_STORE, FreeStore>, std::less<>> stores_;
  std::string digest_;
};

}  // namespace yett::identity
