#include "identity/revocation.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "base/sha256.h"
#include "identity/openssl_error.h"
#include "identity/pem.h"

namespace yett::identity {
namespace {

constexpr size_t kMostBytes = 64 << 20;
constexpr int64_t kSkew = 300;  // seconds that the issuer's clock may be ahead

struct FreeCrl {
  void operator()(X509_CRL* crl) const { X509_CRL_free(crl); }
};
using Crl = std::unique_ptr<X509_CRL, FreeCrl>;

template <typename T, typename Encode>
std::string derOf(T* value, Encode encode) {
  unsigned char* der = nullptr;
  const int size = encode(value, &der);
  std::string out(reinterpret_cast<char*>(der), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(der);
  return out;
}

std::string nameOf(const X509_NAME* name) {
  const std::string der = derOf(name, i2d_X509_NAME);
  return std::string(base::view(base::Sha256Hasher().update(der).finish()));
}

std::string shown(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

int64_t toSeconds(const ASN1_TIME* time) {
  tm parts{};
  return time != nullptr && ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<int64_t>(timegm(&parts)) : 0;
}

// By an authority, or by an authority below one.
bool vouchedFor(X509* issuer, const std::vector<Certificate>& authorities, int64_t now) {
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), X509_STORE_free);
  for (const auto& authority : authorities) X509_STORE_add_cert(store.get(), authority.get());
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                X509_STORE_CTX_free);
  if (!context || X509_STORE_CTX_init(context.get(), store.get(), issuer, nullptr) != 1) return false;
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(param, static_cast<time_t>(now));
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
  return X509_verify_cert(context.get()) == 1;
}

bool weak(const X509_CRL* crl) {
  int digest = NID_undef;
  OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &digest, nullptr);
  return digest == NID_md5 || digest == NID_sha1 || digest == NID_md4 || digest == NID_md2;
}

bool signedBy(X509_CRL* crl, X509* issuer) {
  if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)) != 0) return false;
  const bool may =
      (X509_get_extension_flags(issuer) & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(issuer) & KU_CRL_SIGN) != 0;
  EVP_PKEY* key = X509_get0_pubkey(issuer);
  return may && key != nullptr && X509_CRL_verify(crl, key) == 1;
}

Status check(X509_CRL* crl, int64_t now) {
  for (int i = 0; i < X509_CRL_get_ext_count(crl); ++i) {
    X509_EXTENSION* extension = X509_CRL_get_ext(crl, i);
    const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (X509_EXTENSION_get_critical(extension) != 0 || kind == NID_delta_crl || kind == NID_issuing_distribution_point)
      return Error{"covers only some certificates (delta, indirect or partial), which is not supported"};
  }
  if (toSeconds(X509_CRL_get0_nextUpdate(crl)) == 0) return Error{"has no time of its next update"};
  if (toSeconds(X509_CRL_get0_lastUpdate(crl)) > now + kSkew) return Error{"is not valid yet"};
  if (weak(crl)) return Error{"is signed with MD5 or SHA-1"};
  return {};
}

// Null: none of them.
X509* signerOf(X509_CRL* crl, const std::vector<Certificate>& authorities, const std::vector<Certificate>& others) {
  X509* out = nullptr;
  for (const auto* some : {&authorities, &others}) {
    for (const auto& issuer : *some) {
      if (out == nullptr && signedBy(crl, issuer.get())) out = issuer.get();
    }
  }
  ERR_clear_error();
  return out;
}

}  // namespace

// Names with the same meaning may be encoded in several ways, so both sides use the name as the authority's certificate
// has it.
CertificateLink linkOf(const X509* certificate, const X509* issuer) {
  return {nameOf(X509_get_subject_name(issuer)), derOf(X509_get0_serialNumber(certificate), i2d_ASN1_INTEGER)};
}

Result<Revocations> Revocations::read(std::string_view pem, const std::vector<Certificate>& authorities, int64_t now) {
  if (pem.size() > kMostBytes) return Error{"is larger than 64 MiB"};
  Revocations out;
  std::vector<std::pair<Crl, int>> crls;
  std::vector<Certificate> others;
  for (const auto& block : TRY(pemBlocks(pem))) {
    const std::string line = "line " + std::to_string(block.line) + ": ";
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
        BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())), BIO_free);
    if (block.label == "CERTIFICATE") {
      Certificate issuer(PEM_read_bio_X509(bio.get(), nullptr, noPassphrase, nullptr));
      ERR_clear_error();
      if (!issuer) return Error{line + "the certificate cannot be read"};
      if (X509_check_ca(issuer.get()) != 1) return Error{line + "the certificate is not a CA"};
      const bool trusted = vouchedFor(issuer.get(), authorities, now);
      ERR_clear_error();
      if (trusted) others.push_back(std::move(issuer));
      else out.unused_ = line + "the certificate is not from an authority of the bundle, or is not valid now";
    } else if (block.label == "X509 CRL") {
      Crl crl(PEM_read_bio_X509_CRL(bio.get(), nullptr, noPassphrase, nullptr));
      ERR_clear_error();
      if (!crl) return Error{line + "the CRL cannot be read"};
      crls.emplace_back(std::move(crl), block.line);
    } else {
      return Error{line + "a block `" + block.label + "`, where only X509 CRL and CERTIFICATE belong"};
    }
  }
  if (crls.empty()) return Error{"contains no CRL"};
  for (const auto& [crl, line] : crls) {
    const std::string what = "line " + std::to_string(line) + ": the CRL of " + shown(X509_CRL_get_issuer(crl.get()));
    if (auto ok = check(crl.get(), now); !ok) return Error{what + " " + ok.error().message};
    const X509* signer = signerOf(crl.get(), authorities, others);
    if (signer == nullptr) {
      out.unused_ = what + " is not signed by an authority of the bundle, or by one whose certificate is beside it";
      continue;
    }
    Issuer& issuer = out.issuers_[nameOf(X509_get_subject_name(signer))];
    if (const int64_t updated = toSeconds(X509_CRL_get0_lastUpdate(crl.get())); updated >= issuer.this_update) {
      issuer.this_update = updated;
      issuer.next_update = toSeconds(X509_CRL_get0_nextUpdate(crl.get()));
    }
    const STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(crl.get());
    for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i)
      issuer.serials.insert(derOf(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, i)), i2d_ASN1_INTEGER));
  }
  return out;
}

bool Revocations::revoked(std::span<const CertificateLink> chain) const {
  return std::any_of(chain.begin(), chain.end(), [this](const CertificateLink& link) {
    const auto issuer = issuers_.find(link.issuer);
    return issuer != issuers_.end() && issuer->second.serials.contains(link.serial);
  });
}

int64_t Revocations::currentUntil(std::span<const CertificateLink> chain) const {
  int64_t out = INT64_MAX;
  for (const CertificateLink& link : chain) {
    const auto issuer = issuers_.find(link.issuer);
    out = std::min(out, issuer == issuers_.end() ? 0 : issuer->second.next_update);
  }
  return out;
}

Revocations::Issuer Revocations::first() const {
  if (issuers_.empty()) return {};
  return std::min_element(issuers_.begin(), issuers_.end(),
                          [](const auto& a, const auto& b) { return a.second.next_update < b.second.next_update; })
      ->second;
}

size_t Revocations::count() const {
  size_t out = 0;
  for (const auto& [name, issuer] : issuers_) out += issuer.serials.size();
  return out;
}

}  // namespace yett::identity
