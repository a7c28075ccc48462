#include "request/header_families.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace yett::request {
namespace {

// Sorted by first letter.
constexpr HeaderFamily kFamilies[] = {
    {"cf-access-*", true},
    {"cf-connecting-ip*", true},
    {"client-cert", true},
    {"client-cert-chain", true},
    {"fastly-client-ip", true},
    {"forwarded", true},
    {"front-end-https", true},
    {"http-method-override", false},
    {"impersonate-*", true},
    {"l5d-*", true},
    {"method-override", false},
    {"oidc-claim-*", true},
    {"path-info", false},
    {"proxy", false},
    {"remote-*", true},
    {"script-name", false},
    {"sm-user*", true},
    {"ssl-client-*", true},
    {"tailscale-*", true},
    {"true-client-ip", true},
    {"x-accel-*", false},
    {"x-amzn-mtls-*", true},
    {"x-amzn-oidc-*", true},
    {"x-anonymous-consumer", true},
    {"x-apigateway-api-userinfo", true},
    {"x-arr-clientcert", true},
    {"x-auth-request-*", true},
    {"x-authenticated-*", true},
    {"x-authentik-*", true},
    {"x-client-*cert*", true},
    {"x-client-dn", true},
    {"x-client-ip", true},
    {"x-cluster-client-ip", true},
    {"x-consumer-*", true},
    {"x-credential-*", true},
    {"x-endpoint-api-userinfo", true},
    {"x-envoy-*", true},
    {"x-forwarded", true},
    {"x-forwarded-*", true},
    {"x-goog-authenticated-*", true},
    {"x-goog-iap-*", true},
    {"x-host", true},
    {"x-http-host-override", false},
    {"x-http-method*", false},
    {"x-method-override", false},
    {"x-middleware-*", false},
    {"x-ms-client-principal*", true},
    {"x-ms-token-*", true},
    {"x-original-*", true},
    {"x-original-method", false},
    {"x-original-url", false},
    {"x-pomerium-*", true},
    {"x-real-ip", true},
    {"x-remote-*", true},
    {"x-rewrite-uri", false},
    {"x-rewrite-url", false},
    {"x-scheme", true},
    {"x-script-name", false},
    {"x-sendfile-*", false},
    {"x-ssl-*", true},
    {"x-url-scheme", true},
    {"x-user-info", true},
    {"x-userinfo", true},
    {"x-vouch-*", true},
    {"x-webauth-*", true},
    {"x-yett-*", false},
};

// Where each first letter starts in kFamilies; it ends where the next one starts.
constexpr std::array<uint8_t, 257> makeStarts() {
  std::array<uint8_t, 257> out{};
  for (const auto& family : kFamilies) {
    for (size_t c = static_cast<unsigned char>(family.name[0]) + size_t{1}; c < out.size(); ++c) ++out[c];
  }
  return out;
}
constexpr auto kStarts = makeStarts();

bool matches(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return name == pattern;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const auto rest = pattern.substr(star + 1);
  return rest.empty() || name.find(rest.substr(0, rest.size() - 1), star) != std::string_view::npos;
}

// Frameworks spell these with any dashes or none: `x-httpmethod-override`.
bool overridesMethod(std::string_view name) {
  constexpr size_t kLongest = 32;
  if (name.size() > kLongest) return false;
  std::string plain;
  for (const char c : name) {
    if (c != '-') plain += c;
  }
  if (plain.starts_with('x')) plain.erase(0, 1);
  return plain == "httpmethodoverride" || plain == "methodoverride" || plain == "httpmethod";
}

constexpr HeaderFamily kMethod{"x-http-method-override", false};

}  // namespace

std::string_view foldedName(std::string_view name, std::string& out) {
  const auto odd = [](char c) { return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'); };
  if (std::none_of(name.begin(), name.end(), odd)) return name;
  out = name;
  std::replace_if(out.begin(), out.end(), odd, '-');
  return out;
}

const HeaderFamily* familyOf(std::string_view folded) {
  if (folded.empty()) return nullptr;
  const auto first = static_cast<unsigned char>(folded[0]);
  const HeaderFamily* found = nullptr;
  for (size_t i = kStarts[first]; i < kStarts[first + 1]; ++i) {
    if (matches(kFamilies[i].name, folded) && (found == nullptr || found->keepable)) found = &kFamilies[i];
  }
  if (found == nullptr && (first == 'x' || first == 'h' || first == 'm') && overridesMethod(folded)) return &kMethod;
  return found;
}

std::string whyNotKept(std::string_view entry) {
  const std::string shown = "`" + base::printable(entry) + "`";
  const auto listed = std::find_if(std::begin(kFamilies), std::end(kFamilies),
                                   [&](const HeaderFamily& family) { return family.name == entry; });
  const HeaderFamily* family = listed != std::end(kFamilies) ? &*listed : familyOf(entry);
  if (family == nullptr) {
    std::vector<std::string_view> known;
    for (const auto& one : kFamilies) {
      if (one.keepable) known.push_back(one.name);
    }
    return shown + " is not a family of headers that Yett removes" + base::didYouMean(entry, known) +
           ": docs/http.md has the table";
  }
  if (family->keepable) return {};
  return shown + " cannot be kept: it could change the request after policy has read it, or be mistaken for Yett's own";
}

}  // namespace yett::request
