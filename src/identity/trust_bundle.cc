#include "identity/trust_bundle.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/sha256.h"
#include "identity/openssl_error.h"
#include "identity/spiffe_id.h"

namespace yett::identity {
namespace {

Result<size_t> addAll(X509_STORE* store, const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                      BIO_free);
  size_t count = 0;
  for (;;) {
    const std::unique_ptr<X509, decltype(&X509_free)> cert(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                                           X509_free);
    if (!cert) {
      const unsigned long code = ERR_peek_last_error();
      ERR_clear_error();
      if (ERR_GET_REASON(code) == PEM_R_NO_START_LINE) return count;
      return Error{"certificate " + std::to_string(count + 1) + " cannot be read"};
    }
    if (X509_check_ca(cert.get()) != 1) return Error{"certificate " + std::to_string(count + 1) + " is not a CA"};
    if (X509_STORE_add_cert(store, cert.get()) != 1) return Error{opensslError()};
    ++count;
  }
}

}  // namespace

Result<TrustBundles> TrustBundles::create(const std::map<std::string, std::string>& pems) {
  TrustBundles bundles;
  base::Sha256Hasher hasher;
  for (const auto& [domain, pem] : pems) {
    if (!isTrustDomain(domain)) return Error{"`" + domain + "` is not a trust domain"};
    std::unique_ptr<X509_STORE, FreeStore> store(X509_STORE_new());
    auto added = addAll(store.get(), pem);
    if (!added) return std::move(added).error().within("bundle of " + domain);
    if (added.value() == 0) return Error{"bundle of " + domain + ": holds no certificate"};
    hasher.update(domain).update({"\0", 1}).update(pem).update({"\0", 1});
    bundles.stores_.emplace(domain, std::move(store));
  }
  const auto hash = hasher.finish();
  bundles.digest_ = base::sha256Hex(base::view(hash));
  return bundles;
}

X509_STORE* TrustBundles::find(std::string_view trust_domain) const {
  const auto it = stores_.find(trust_domain);
  return it == stores_.end() ? nullptr : it->second.get();
}

}  // namespace yett::identity
