// Bundles, CRLs and tokens come from other organizations.
#include "fuzz/targets.h"
#include "identity/bundle_content.h"
#include "identity/jwk.h"
#include "identity/jwt.h"
#include "identity/mint.h"
#include "identity/publish.h"
#include "identity/revocation.h"
#include "net/tls_sessions.h"
#include "support/signing.h"

namespace yett::fuzz {
namespace {

constexpr int64_t kNow = 1'800'000'000;

// What is read can be published again, and says the same then.
std::string bundle(std::string_view bytes) {
  const auto read = identity::readBundle(bytes);
  if (!read) return read.error().message.empty() ? "refused without a reason" : "";
  const auto document = identity::bundleDocument(std::string(bytes), 1, 1);
  if (!document) return "cannot be published: " + document.error().message;
  const auto again = identity::readBundle(document.value());
  if (!again) return "what was published cannot be read: " + again.error().message;
  const bool same = again.value().authorities.size() == read.value().authorities.size() &&
                    again.value().jwt_authorities.size() == read.value().jwt_authorities.size();
  return same ? "" : "other authorities after it was published";
}

// With the authorities that stand before the first CRL, and with none.
std::string crl(std::string_view bytes) {
  static const std::vector<identity::Certificate> kNone;
  const auto content = identity::readBundle(bytes.substr(0, bytes.find("-----BEGIN X509 CRL")));
  for (const auto* authorities : {&kNone, content ? &content.value().authorities : &kNone}) {
    const auto read = identity::Revocations::read(bytes, *authorities, kNow);
    if (!read && read.error().message.empty()) return "refused without a reason";
    if (read && read.value().nextUpdate() == 0 && read.value().unused().empty()) return "not used without a reason";
  }
  return "";
}

// The shortened session still begins and ends where it says.
std::string session(std::string_view bytes) {
  const std::string without = net::withoutPeer(bytes);
  if (without.empty()) return "";
  return net::withoutPeer(without) == without ? "" : "not stable";
}

// With keys for each algorithm, whose tokens stand in the corpus. What is accepted has an end, and claims that are read
// again as the same document.
std::string jwt(std::string_view bytes) {
  static const test::SigningKey rsa = test::SigningKey::rsa(2048, "r");
  static const test::SigningKey ec = test::SigningKey::ec("P-256", "e");
  static const auto keys = identity::readJwkSet("{\"keys\":[" + rsa.jwk() + "," + ec.jwk() + "]}");
  using A = identity::JwsAlgorithm;
  const identity::JwtRules rules{.issuer = "i", .audiences = {"a"}, .algorithms = {A::kRs256, A::kPs256, A::kEs256}};
  // Signed here, so that the claims are reached: the bytes are header and payload, with a newline between.
  const auto line = bytes.find('\n');
  const std::string header(bytes.substr(0, line));
  const std::string claims(line == std::string_view::npos ? "" : bytes.substr(line + 1));
  for (const std::string& token : {std::string(bytes), ec.signedAs(A::kEs256, header, claims)}) {
    const auto done = identity::verifyJwt(token, rules, keys.value(), kNow);
    if (!done && done.refusal().why.empty()) return "refused without a reason";
    if (done && (done.token().expires <= kNow || done.token().claims != claims)) return "accepted, but over";
  }
  return "";
}

std::string jwks(std::string_view bytes) {
  const auto read = identity::readJwkSet(bytes);
  if (!read) return read.error().message.empty() ? "refused without a reason" : "";
  for (const auto& key : read.value()) {
    if (!key.key || key.algorithms.empty()) return "a key that verifies nothing";
    if (identity::verifies(key, key.algorithms[0], "x", "y")) return "a signature of one byte";
  }
  return "";
}

constexpr Target kTargets[] = {
    {"jwt", jwt}, {"jwks", jwks}, {"bundle", bundle}, {"crl", crl}, {"tls_session", session}};

}  // namespace

std::span<const Target> identityTargets() {
  return kTargets;
}

}  // namespace yett::fuzz
