#include "identity/mint.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/clock.h"
#include "identity/openssl_error.h"
#include "identity/pem.h"
#include "identity/x509_svid.h"

namespace yett::identity {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Cert = std::unique_ptr<X509, decltype(&X509_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

std::string textOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

Bio reader(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
}

std::string keyPem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return textOf(bio.get());
}

bool addExtension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return false;
  const bool ok = X509_add_ext(cert, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return ok;
}

std::string alternativeNames(const CertificateSpec& spec) {
  std::string out;
  const auto add = [&](const char* kind, const std::vector<std::string>& values) {
    for (const auto& value : values) out += (out.empty() ? "" : ",") + std::string(kind) + value;
  };
  add("URI:", spec.uris);
  add("DNS:", spec.dns_names);
  add("IP:", spec.ip_addresses);
  return out;
}

bool addExtensions(X509* cert, X509* issuer, const CertificateSpec& spec) {
  const std::string usage = spec.key_usage != nullptr ? spec.key_usage
                            : spec.ca                 ? "critical,keyCertSign,cRLSign"
                                                      : "critical,digitalSignature";
  const std::string names = alternativeNames(spec);
  return addExtension(cert, issuer, NID_basic_constraints, spec.ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
         (usage.empty() || addExtension(cert, issuer, NID_key_usage, usage)) &&
         (spec.ca || spec.extended_key_usage[0] == '\0' ||
          addExtension(cert, issuer, NID_ext_key_usage, spec.extended_key_usage)) &&
         addExtension(cert, issuer, NID_subject_key_identifier, "hash") &&
         (cert == issuer || addExtension(cert, issuer, NID_authority_key_identifier, "keyid")) &&
         (names.empty() || addExtension(cert, issuer, NID_subject_alt_name, names));
}

}  // namespace

Result<KeyAndCertificate> mint(const CertificateSpec& spec, const KeyAndCertificate* issuer) {
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Cert cert(X509_new(), X509_free);
  Key issuer_key(nullptr, EVP_PKEY_free);
  Cert issuer_cert(nullptr, X509_free);
  if (issuer != nullptr) {
    issuer_key.reset(PEM_read_bio_PrivateKey(reader(issuer->key_pem).get(), nullptr, noPassphrase, nullptr));
    issuer_cert.reset(PEM_read_bio_X509(reader(issuer->certificate_pem).get(), nullptr, nullptr, nullptr));
    if (!issuer_key || !issuer_cert) return Error{"the CA's key or certificate cannot be read: " + opensslError()};
  }
  unsigned char serial[16];
  RAND_bytes(serial, sizeof serial);
  serial[0] &= 0x7f;
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(BN_bin2bn(serial, sizeof serial, nullptr), BN_free);
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(cert.get()));
  X509_set_version(cert.get(), 2);
  ASN1_TIME_set(X509_getm_notBefore(cert.get()), static_cast<time_t>(spec.not_before));
  ASN1_TIME_set(X509_getm_notAfter(cert.get()), static_cast<time_t>(spec.not_after));
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("Yett development"), -1,
                             -1, 0);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.common_name.c_str()), -1, -1, 0);
  X509* signer = issuer_cert ? issuer_cert.get() : cert.get();
  X509_set_issuer_name(cert.get(), X509_get_subject_name(signer));
  if (!addExtensions(cert.get(), signer, spec)) return Error{"cannot create the certificate: " + opensslError()};
  if (X509_sign(cert.get(), issuer_key ? issuer_key.get() : key.get(), EVP_sha256()) == 0)
    return Error{"the certificate cannot be signed: " + opensslError()};
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(bio.get(), cert.get());
  return KeyAndCertificate{keyPem(key.get()), textOf(bio.get())};
}

static std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> namesOf(X509* cert) {
  return {static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr)),
          GENERAL_NAMES_free};
}

Result<std::vector<std::string>> uriNames(const std::string& pem) {
  const Cert cert(PEM_read_bio_X509(reader(pem).get(), nullptr, noPassphrase, nullptr), X509_free);
  if (!cert) return Error{"no certificate in it: " + opensslError()};
  std::vector<std::string> out;
  const auto names = namesOf(cert.get());
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                     static_cast<size_t>(ASN1_STRING_length(uri)));
  }
  return out;
}

Result<std::string> describeCertificate(const std::string& pem) {
  const Cert cert(PEM_read_bio_X509(reader(pem).get(), nullptr, noPassphrase, nullptr), X509_free);
  if (!cert) return Error{"no certificate in it: " + opensslError()};
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  auto id = leafId(cert.get());
  BIO_printf(bio.get(), "spiffe id   %s\n", id ? id.value().text().c_str() : ("none: " + id.error().message).c_str());
  BIO_printf(bio.get(), "subject     ");
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(cert.get()), 0, XN_FLAG_RFC2253);
  BIO_printf(bio.get(), "\nissuer      ");
  X509_NAME_print_ex(bio.get(), X509_get_issuer_name(cert.get()), 0, XN_FLAG_RFC2253);
  const auto names = namesOf(cert.get());
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    BIO_printf(bio.get(), "%s", i == 0 ? "\nnames       " : ", ");
    GENERAL_NAME_print(bio.get(), sk_GENERAL_NAME_value(names.get(), i));
  }
  BIO_printf(bio.get(), "\nvalid from  ");
  ASN1_TIME_print(bio.get(), X509_get0_notBefore(cert.get()));
  BIO_printf(bio.get(), "\nvalid to    ");
  ASN1_TIME_print(bio.get(), X509_get0_notAfter(cert.get()));
  const bool expired = X509_cmp_current_time(X509_get0_notAfter(cert.get())) < 0;
  int days = 0;
  int seconds = 0;
  ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(cert.get()));
  const std::string left = expired    ? " (expired)"
                           : days > 0 ? " (" + std::to_string(days) + (days == 1 ? " day left)" : " days left)")
                                      : " (" + std::to_string(seconds / 3600) + " hours left)";
  BIO_printf(bio.get(), "%s\nca          %s\n", left.c_str(), X509_check_ca(cert.get()) == 1 ? "yes" : "no");
  return textOf(bio.get());
}

}  // namespace yett::identity
