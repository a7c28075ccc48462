#include "identity/describe.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/text.h"
#include "identity/bundle_content.h"
#include "identity/mint.h"
#include "identity/own_certificate.h"
#include "identity/pem.h"
#include "identity/x509_svid.h"

namespace yett::identity {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Bio reader(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

std::string taken(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

std::string shownName(const X509_NAME* name) {
  const Bio out(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  return taken(out.get());
}

std::string shownTime(const ASN1_TIME* time) {
  const Bio out(BIO_new(BIO_s_mem()), BIO_free);
  if (time == nullptr || ASN1_TIME_print(out.get(), time) != 1) return "none";
  return taken(out.get());
}

Result<std::string> describeCrl(const std::string& pem) {
  const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> crl(
      PEM_read_bio_X509_CRL(reader(pem).get(), nullptr, noPassphrase, nullptr), X509_CRL_free);
  ERR_clear_error();
  if (!crl) return Error{"the CRL cannot be read"};
  const ASN1_TIME* next = X509_CRL_get0_nextUpdate(crl.get());
  const bool expired = next != nullptr && X509_cmp_current_time(next) < 0;
  const STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(crl.get());
  const int count = sk_X509_REVOKED_num(revoked);
  std::string out = "crl of      " + shownName(X509_CRL_get_issuer(crl.get())) + "\nmade        " +
                    shownTime(X509_CRL_get0_lastUpdate(crl.get())) + "\nnext update " + shownTime(next) +
                    (expired ? " (expired)" : "") + "\nrevoked     " + std::to_string(std::max(count, 0)) + "\n";
  constexpr int kShown = 20;
  for (int i = 0; i < std::min(count, kShown); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(revoked, i);
    const Bio serial(BIO_new(BIO_s_mem()), BIO_free);
    i2a_ASN1_INTEGER(serial.get(), X509_REVOKED_get0_serialNumber(entry));
    out += "            " + taken(serial.get()) + ", " + shownTime(X509_REVOKED_get0_revocationDate(entry)) + "\n";
  }
  if (count > kShown) out += "            and " + std::to_string(count - kShown) + " more\n";
  return out;
}

Result<std::string> describeDocument(std::string_view text, int64_t now) {
  const auto content = TRY(readBundle(text));
  std::string out = "bundle      SPIFFE bundle document\nsequence    " +
                    (content.sequence ? std::to_string(*content.sequence) : std::string("none")) + "\nrefresh     " +
                    (content.refresh_seconds > 0 ? "every " + std::to_string(content.refresh_seconds) + " s"
                                                 : std::string("not said")) +
                    "\nauthorities " + std::to_string(content.authorities.size()) + "\n";
  for (const auto& authority : content.authorities) {
    tm end{};
    const bool known = ASN1_TIME_to_tm(X509_get0_notAfter(authority.get()), &end) == 1;
    out += "            " + shownName(X509_get_subject_name(authority.get())) + ", valid " +
           (known ? validFor(static_cast<int64_t>(timegm(&end)), now) : std::string("until an unreadable time")) + "\n";
  }
  for (const auto& key : content.jwt_authorities) out += "jwt key     " + base::printable(key.key_id) + "\n";
  return out;
}

}  // namespace

Result<std::string> describeFile(std::string_view text, int64_t now) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') return describeDocument(text, now);
  const auto blocks = TRY(pemBlocks(text));
  if (blocks.empty()) return Error{"contains no certificate, CRL or bundle document"};
  std::string out;
  for (const auto& block : blocks) {
    if (!out.empty()) out += "\n";
    const auto line = [&block](const Error& error) {
      return Error{"line " + std::to_string(block.line) + ": " + error.message};
    };
    if (block.label == "CERTIFICATE") {
      auto described = describeCertificate(block.text);
      if (!described) return line(described.error());
      out += described.value();
    } else if (block.label == "X509 CRL") {
      auto described = describeCrl(block.text);
      if (!described) return line(described.error());
      out += described.value();
    } else {
      out += "a block     " + base::printable(block.label) + ", which is not shown\n";
    }
  }
  return out;
}

Result<std::string> verdictOn(std::string_view pem, const TrustBundles& bundles, int64_t now) {
  std::vector<Certificate> certificates;
  for (const auto& block : TRY(pemBlocks(pem))) {
    if (block.label != "CERTIFICATE") continue;
    Certificate certificate(PEM_read_bio_X509(reader(block.text).get(), nullptr, noPassphrase, nullptr));
    ERR_clear_error();
    if (!certificate) return Error{"line " + std::to_string(block.line) + ": the certificate cannot be read"};
    certificates.push_back(std::move(certificate));
  }
  if (certificates.empty()) return Error{"contains no certificate"};
  STACK_OF(X509)* chain = sk_X509_new_null();
  for (size_t i = 1; i < certificates.size(); ++i) sk_X509_push(chain, certificates[i].get());
  const auto verdict = verifySvid(certificates[0].get(), chain, bundles, now);
  sk_X509_free(chain);
  ERR_clear_error();
  if (!verdict) return "refused: " + verdict.error().message + "\n";
  const int64_t until = trustedUntil(verdict.value(), bundles, now).value_or(0);
  return "accepted as " + verdict.value().id + ", " + validFor(until, now) + "\n";
}

}  // namespace yett::identity
