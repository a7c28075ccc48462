// Bundles and CRLs come from other organizations.
#include "fuzz/targets.h"
#include "identity/bundle_content.h"
#include "identity/mint.h"
#include "identity/publish.h"
#include "identity/revocation.h"
#include "net/tls_sessions.h"

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

constexpr Target kTargets[] = {{"bundle", bundle}, {"crl", crl}, {"tls_session", session}};

}  // namespace

std::span<const Target> identityTargets() {
  return kTargets;
}

}  // namespace yett::fuzz
