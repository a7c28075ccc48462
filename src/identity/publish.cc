#include "identity/publish.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/base64.h"
#include "base/json.h"
#include "identity/bundle_content.h"
#include "identity/openssl_error.h"
#include "identity/pem.h"

namespace yett::identity {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Crl = std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Time = std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)>;

Bio reader(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
}

Certificate certificateOf(const std::string& pem) {
  return Certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, noPassphrase, nullptr));
}

void addRevoked(X509_CRL* crl, const ASN1_INTEGER* serial, const ASN1_TIME* when) {
  X509_REVOKED* known = nullptr;
  if (X509_CRL_get0_by_serial(crl, &known, serial) != 0) return;
  X509_REVOKED* entry = X509_REVOKED_new();
  X509_REVOKED_set_serialNumber(entry, const_cast<ASN1_INTEGER*>(serial));
  X509_REVOKED_set_revocationDate(entry, const_cast<ASN1_TIME*>(when));
  X509_CRL_add0_revoked(crl, entry);
}

}  // namespace

Result<std::string> makeCrl(const KeyAndCertificate& authority, const std::vector<std::string>& certificates,
                            const std::string& before, const CrlSpec& spec) {
  const Certificate issuer = certificateOf(authority.certificate_pem);
  const Key key(PEM_read_bio_PrivateKey(reader(authority.key_pem).get(), nullptr, noPassphrase, nullptr),
                EVP_PKEY_free);
  if (!issuer || !key) return Error{"the CA's key or certificate cannot be read: " + opensslError()};
  const Crl crl(X509_CRL_new(), X509_CRL_free);
  const Time now(ASN1_TIME_set(nullptr, static_cast<time_t>(spec.this_update)), ASN1_TIME_free);
  const Time next(ASN1_TIME_set(nullptr, static_cast<time_t>(spec.next_update)), ASN1_TIME_free);
  X509_CRL_set_version(crl.get(), 1);
  X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.get()));
  X509_CRL_set1_lastUpdate(crl.get(), now.get());
  X509_CRL_set1_nextUpdate(crl.get(), next.get());
  if (!before.empty()) {
    const Crl old(PEM_read_bio_X509_CRL(reader(before).get(), nullptr, noPassphrase, nullptr), X509_CRL_free);
    if (!old) return Error{"the CRL cannot be read: " + opensslError()};
    if (X509_NAME_cmp(X509_CRL_get_issuer(old.get()), X509_get_subject_name(issuer.get())) != 0)
      return Error{"the CRL is of another authority"};
    STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(old.get());
    for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
      const X509_REVOKED* entry = sk_X509_REVOKED_value(revoked, i);
      addRevoked(crl.get(), X509_REVOKED_get0_serialNumber(entry), X509_REVOKED_get0_revocationDate(entry));
    }
  }
  for (const auto& pem : certificates) {
    const Certificate certificate = certificateOf(pem);
    if (!certificate) return Error{"no certificate in it: " + opensslError()};
    if (X509_NAME_cmp(X509_get_issuer_name(certificate.get()), X509_get_subject_name(issuer.get())) != 0)
      return Error{"the certificate was not issued by this CA"};
    addRevoked(crl.get(), X509_get0_serialNumber(certificate.get()), now.get());
  }
  X509_CRL_sort(crl.get());
  if (X509_CRL_sign(crl.get(), key.get(), EVP_sha256()) == 0) return Error{"cannot sign the CRL: " + opensslError()};
  const Bio out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509_CRL(out.get(), crl.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

Result<std::string> bundleDocument(const std::string& pem, int64_t sequence, int64_t refresh_seconds) {
  const auto content = TRY(readBundle(pem));
  std::string keys = "[";
  for (const auto& authority : content.authorities) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(authority.get(), &der);
    if (size <= 0) return Error{opensslError()};
    const std::string encoded = base::toBase64({reinterpret_cast<char*>(der), static_cast<size_t>(size)});
    OPENSSL_free(der);
    const int type = EVP_PKEY_base_id(X509_get0_pubkey(authority.get()));
    const char* kind = type == EVP_PKEY_RSA ? "RSA" : type == EVP_PKEY_EC ? "EC" : "OKP";
    if (keys.size() > 1) keys += ',';
    json::ObjectWriter(keys).field("use", "x509-svid").field("kty", kind).raw("x5c", "[\"" + encoded + "\"]").end();
  }
  for (const auto& authority : content.jwt_authorities) (keys += keys.size() > 1 ? "," : "") += authority.jwk;
  std::string out;
  json::ObjectWriter(out)
      .raw("keys", keys + "]")
      .field("spiffe_sequence", sequence)
      .field("spiffe_refresh_hint", refresh_seconds)
      .end();
  return out + "\n";
}

}  // namespace yett::identity
