#include "identity/trust_bundle.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/sha256.h"
#include "identity/openssl_error.h"
#include "identity/pem.h"
#include "identity/spiffe_id.h"

namespace yett::identity {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Result<std::vector<Certificate>> readAll(const std::string& pem) {
  std::vector<Certificate> out;
  for (const auto& block : TRY(certificateBlocks(pem, false))) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
        BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())), BIO_free);
    Certificate cert(PEM_read_bio_X509(bio.get(), nullptr, noPassphrase, nullptr), X509_free);
    ERR_clear_error();
    const std::string name = "certificate " + std::to_string(out.size() + 1);
    if (!cert) return Error{name + " (line " + std::to_string(block.line) + ") cannot be read"};
    if (X509_check_ca(cert.get()) != 1) return Error{name + " is not a CA"};
    out.push_back(std::move(cert));
  }
  return out;
}

Result<TrustBundles::Bundle> bundleOf(const std::string& pem) {
  const auto certificates = TRY(readAll(pem));
  if (certificates.empty()) return Error{"contains no certificate"};
  TrustBundles::Bundle out;
  out.digest = base::sha256Hex(pem);
  out.all.reset(X509_STORE_new());
  std::map<std::string, std::vector<X509*>> by_name;
  for (const auto& cert : certificates) {
    if (X509_STORE_add_cert(out.all.get(), cert.get()) != 1) return Error{opensslError()};
    if (!out.anchors.insert(certificateDigest(cert.get())).second) continue;
    by_name[std::to_string(X509_NAME_hash_ex(X509_get_subject_name(cert.get()), nullptr, nullptr, nullptr))].push_back(
        cert.get());
  }
  for (const auto& [name, same] : by_name) {
    if (same.size() < 2) continue;
    for (X509* cert : same) {
      X509_STORE_add_cert(out.namesakes.emplace_back(X509_STORE_new()).get(), cert);
    }
  }
  return out;
}

}  // namespace

std::string certificateDigest(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  const auto hash =
      base::Sha256Hasher().update({reinterpret_cast<char*>(der), size > 0 ? static_cast<size_t>(size) : 0}).finish();
  OPENSSL_free(der);
  return std::string(base::view(hash));
}

Result<TrustBundles> TrustBundles::create(const std::map<std::string, std::string>& pems) {
  TrustBundles out;
  base::Sha256Hasher hasher;
  for (const auto& [domain, pem] : pems) {
    if (!isTrustDomain(domain)) return Error{"`" + domain + "` is not a trust domain"};
    auto bundle = bundleOf(pem);
    if (!bundle) return std::move(bundle).error().within("bundle of " + domain);
    hasher.update(domain).update({"\0", 1}).update(pem).update({"\0", 1});
    out.bundles_.emplace(domain, std::move(bundle).value());
  }
  const auto hash = hasher.finish();
  out.digest_ = base::sha256Hex(base::view(hash));
  return out;
}

const TrustBundles::Bundle* TrustBundles::find(std::string_view trust_domain) const {
  const auto it = bundles_.find(trust_domain);
  return it == bundles_.end() ? nullptr : &it->second;
}

}  // namespace yett::identity
