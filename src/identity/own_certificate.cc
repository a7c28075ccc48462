#include "identity/own_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <vector>

#include "base/text.h"
#include "identity/x509_svid.h"

namespace yett::identity {
namespace {

using Cert = std::unique_ptr<X509, decltype(&X509_free)>;

int64_t secondsOf(const ASN1_TIME* time) {
  tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<int64_t>(timegm(&parts)) : 0;
}

std::vector<Cert> readAll(const std::string& pem) {
  std::vector<Cert> out;
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                     BIO_free);
  const auto refuse = [](char*, int, int, void*) { return -1; };  // a certificate has no passphrase
  while (in) {
    Cert cert(PEM_read_bio_X509(in.get(), nullptr, refuse, nullptr), X509_free);
    if (!cert) break;
    out.push_back(std::move(cert));
  }
  return out;
}

// Verifies as a client verifies a server, except for the name.
std::string doubtOf(const std::vector<Cert>& certs, const TrustBundles::Bundle& bundle, int64_t now) {
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> chain(sk_X509_new_null(),
                                                                         [](STACK_OF(X509) * s) { sk_X509_free(s); });
  for (size_t i = 1; i < certs.size(); ++i) sk_X509_push(chain.get(), certs[i].get());
  std::string doubt;
  std::vector<X509_STORE*> stores{bundle.all.get()};
  for (const auto& store : bundle.namesakes) stores.push_back(store.get());
  for (X509_STORE* store : stores) {
    const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                  X509_STORE_CTX_free);
    if (!context || X509_STORE_CTX_init(context.get(), store, certs[0].get(), chain.get()) != 1) return "";
    X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(param, static_cast<time_t>(now));
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    if (X509_verify_cert(context.get()) == 1) return "";
    if (doubt.empty()) doubt = base::lowered(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  }
  return doubt;
}

}  // namespace

Result<OwnCertificate> readOwnCertificate(const std::string& pem, const TrustBundles& bundles, int64_t now) {
  const auto certs = readAll(pem);
  ERR_clear_error();  // reading ends with an error of its own, and others would be told that one
  if (certs.empty()) return Error{"no certificate in it"};
  OwnCertificate out;
  out.certificates = certs.size();
  out.not_after = INT64_MAX;
  for (const auto& cert : certs) {
    out.not_before = std::max(out.not_before, secondsOf(X509_get0_notBefore(cert.get())));
    out.not_after = std::min(out.not_after, secondsOf(X509_get0_notAfter(cert.get())));
  }
  const auto id = leafId(certs[0].get());
  if (!id) return out;
  out.spiffe_id = id.value().text();
  const auto* bundle = bundles.find(id.value().trustDomain());
  if (bundle != nullptr) out.doubt = doubtOf(certs, *bundle, now);
  ERR_clear_error();
  return out;
}

std::string validFor(int64_t not_after, int64_t now) {
  const int64_t left = not_after >= now ? not_after - now : now - not_after;
  const auto count = [](int64_t n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); };
  const std::string span = left >= 172'800 ? count(left / 86'400, "day")
                           : left >= 7200  ? count(left / 3600, "hour")
                                           : count(left / 60, "minute");
  return not_after >= now ? "for " + span : "no longer (expired " + span + " ago)";
}

}  // namespace yett::identity
