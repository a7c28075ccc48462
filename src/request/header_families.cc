#include "request/header_families.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace yett::request {
namespace {

// Sorted by name, so that those of one first letter, or of one letter after "x-", stand together.
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

// A pattern in its parts: what the name begins with, and what must follow somewhere; or the whole name.
struct Pattern {
  std::string_view begin;
  std::string_view later;
  bool whole;
};
constexpr auto kPatterns = [] {
  std::array<Pattern, std::size(kFamilies)> out{};
  for (size_t i = 0; i < out.size(); ++i) {
    const std::string_view name = kFamilies[i].name;
    const size_t star = name.find('*');
    out[i].whole = star == std::string_view::npos;
    out[i].begin = name.substr(0, star);
    if (!out[i].whole && star + 1 < name.size()) out[i].later = name.substr(star + 1, name.size() - star - 2);
  }
  return out;
}();

// Most names begin with "x-", so families are found by their first letter, or by the letter after "x-".
constexpr size_t kLetters = 256;
constexpr size_t placeOf(std::string_view name) {
  const auto letter = [&name](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(name[i])); };
  if (name.empty()) return 0;
  return name.size() > 2 && name.starts_with("x-") ? kLetters + letter(2) : letter(0);
}
// Where the families of each place start in kFamilies, which is sorted; they end where those of the next place start.
constexpr auto kStarts = [] {
  std::array<uint8_t, 2 * kLetters + 1> out{};
  for (const auto& family : kFamilies) {
    for (size_t place = placeOf(family.name) + 1; place < out.size(); ++place) ++out[place];
  }
  return out;
}();
static_assert([] {
  for (size_t i = 1; i < std::size(kFamilies); ++i) {
    if (placeOf(kFamilies[i - 1].name) > placeOf(kFamilies[i].name)) return false;
  }
  return true;
}());

bool matches(const Pattern& pattern, std::string_view name) {
  if (pattern.whole) return name == pattern.begin;
  if (!name.starts_with(pattern.begin)) return false;
  return pattern.later.empty() || name.find(pattern.later, pattern.begin.size()) != std::string_view::npos;
}

// Whether `name` without its dashes is `plain`.
bool isPlain(std::string_view name, std::string_view plain) {
  size_t at = 0;
  for (const char c : name) {
    if (c == '-') continue;
    if (at == plain.size() || c != plain[at]) return false;
    ++at;
  }
  return at == plain.size();
}

// Frameworks spell these with any dashes or none: `x-httpmethod-override`.
bool overridesMethod(std::string_view name) {
  constexpr size_t kLongest = 32;
  if (name.size() > kLongest) return false;
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  if (name.starts_with('x')) name.remove_prefix(1);
  return isPlain(name, "httpmethodoverride") || isPlain(name, "methodoverride") || isPlain(name, "httpmethod");
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
  const HeaderFamily* found = nullptr;
  const size_t place = placeOf(folded);
  for (size_t i = kStarts[place]; i < kStarts[place + 1]; ++i) {
    if (matches(kPatterns[i], folded) && (found == nullptr || found->keepable)) found = &kFamilies[i];
  }
  const char first = folded[0];
  const bool may_override = first == 'x' || first == 'h' || first == 'm' || first == '-';
  if (found == nullptr && may_override && overridesMethod(folded)) return &kMethod;
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
