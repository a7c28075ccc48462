#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "config/sections.h"
#include "identity/jwt_provider.h"
#include "policy/settable_header.h"
#include "policy/token.h"
#include "policy/token_header.h"
#include "request/headers.h"

namespace yett::config {
namespace {

constexpr std::string_view kSvid = policy::kSvidProvider;

// A name that policy can write after a dot.
bool isName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] >= 'a' && text[0] <= 'z' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
  });
}

void readPlaces(ObjectReader& in, std::vector<identity::TokenPlace>& out) {
  std::vector<std::string> places;
  in.texts("from", places);
  if (places.empty()) return;
  out.clear();
  for (const auto& place : places) {
    const auto colon = std::min(place.find(':'), place.size());
    const std::string kind = place.substr(0, colon);
    std::string name = place.substr(std::min(colon + 1, place.size()));
    if ((kind != "header" && kind != "cookie") || !isToken(name)) {
      in.problem("from", "`" + base::printable(place) + "` is not `header:NAME` or `cookie:NAME`");
      continue;
    }
    if (kind == "header") base::lowerInPlace(name.data(), name.size());
    if (kind == "header" && name == "cookie") in.problem("from", "`header:cookie`: write `cookie:NAME`");
    out.push_back({kind == "cookie", name});
  }
}

void readKeys(ObjectReader& in, const std::string& file, identity::BundleConfig& out) {
  std::string where;
  in.requiredText("jwks", where);
  const bool url = where.find("://") != std::string::npos;
  out.key_set = true;
  out.refresh = base::Millis(300'000);
  in.text("ca", out.ca);
  in.duration("timeout", out.timeout);
  in.duration("refresh_interval", out.refresh);
  out.max_stale = base::Millis(86'400'000);
  in.duration("max_stale", out.max_stale);
  if (!url) {
    if (!where.empty()) out.file = base::relativeTo(file, where);
    for (const char* setting : {"ca", "timeout", "refresh_interval", "max_stale"}) {
      if (in.has(setting)) in.problem(setting, "is for keys from a URL");
    }
    return;
  }
  if (!where.starts_with("https://") || where.size() == 8) in.problem("jwks", "is neither a file nor an https URL");
  out.endpoint = where;
  if (!out.ca.empty()) out.ca = base::relativeTo(file, out.ca);
}

void readUse(ObjectReader& in, identity::JwtProviderConfig& out) {
  in.texts("audiences", out.audiences);
  if (out.audiences.empty()) in.problem("audiences", "name at least one: a token for another service must not count");
  readPlaces(in, out.from);
  in.flag("forward", out.forward);
  in.entries("headers", [&](const std::string& name, const std::string& text) {
    if (!policy::isHeaderName(name)) in.problem("headers", "`" + name + "` is not a header name in lower case");
    else if (!policy::maySetHeader(name) || name == "cookie" || name == "content-type" || name == "content-encoding")
      in.problem("headers", "`" + name + "` belongs to framing, the hop or Yett itself");
    if (auto ok = policy::checkTokenTemplate(text); !ok) in.problem("headers", "`" + name + "`: " + ok.error().message);
    out.headers[name] = text;
  });
  in.durationOrZero("clock_skew", out.clock_skew);
  if (out.clock_skew.count() > 300'000)
    in.problem("clock_skew", "must be at most 5m: tokens stay valid for that much longer");
}

// Their keys are those of the trust bundles.
void readSvid(ObjectReader& in, identity::JwtProviderConfig& out) {
  out.svid = true;
  readUse(in, out);
}

void readProvider(ObjectReader& in, const std::string& file, identity::JwtProviderConfig& out) {
  in.requiredText("issuer", out.issuer);
  std::vector<std::string> algorithms;
  in.texts("algorithms", algorithms);
  if (algorithms.empty()) algorithms = {"RS256", "ES256"};
  for (const auto& name : algorithms) {
    const auto algorithm = identity::jwsAlgorithmNamed(name);
    if (algorithm) out.algorithms.push_back(*algorithm);
    else
      in.problem("algorithms", "`" + base::printable(name) +
                                   "` is not one of RS256 to RS512, PS256 to PS512, ES256 to ES512 and EdDSA" +
                                   base::didYouMean(name, identity::jwsAlgorithms()));
  }
  readKeys(in, file, out.keys);
  readUse(in, out);
}

}  // namespace

namespace {

// A header that a token sets must not be where a token is looked for, nor be set by two of them.
void checkHeaders(ObjectReader& in, const identity::JwtProviderConfigs& all) {
  std::vector<std::string> seen;
  for (const auto& [name, provider] : all) {
    for (const auto& [header, text] : provider.headers) {
      if (request::isNamed(header, seen))
        in.problem("", "`headers` of `" + name + "`: another one sets `" + base::printable(header) + "` too");
      seen.push_back(header);
    }
  }
  for (const auto& [name, provider] : all) {
    for (const auto& place : provider.from) {
      if (request::isNamed(place.cookie ? "cookie" : place.name, seen))
        in.problem("", "`from` of `" + name + "` is a header that `headers` of a provider sets");
    }
  }
}

}  // namespace

void readAuthentication(ObjectReader& in, const std::string& file, identity::JwtProviderConfigs& out) {
  in.entries(
      "jwt", [&](const std::string& name, const std::string&) { in.problem("jwt", "`" + name + "` is not an object"); },
      [&](const std::string& name, ObjectReader& provider) {
        if (name == kSvid) in.problem("jwt", "`svid` is what policy calls a JWT-SVID (`jwt_svid`): use another name");
        if (!isName(name)) in.problem("jwt", "`" + base::printable(name) + "` is not a name of a-z, 0-9 and `_`");
        readProvider(provider, file, out[name]);
      });
  in.object("jwt_svid", [&](ObjectReader& svid) { readSvid(svid, out[std::string(kSvid)]); });
  checkHeaders(in, out);
}

}  // namespace yett::config
