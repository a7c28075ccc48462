#include "policy/attribute.h"

#include <algorithm>
#include <iterator>

#include "policy/secret_names.h"

namespace yett::policy {
namespace {

constexpr std::string_view kNames[] = {"method",
                                       "scheme",
                                       "host",
                                       "path",
                                       "raw_path",
                                       "protocol",
                                       "query",
                                       "queries",
                                       "header",
                                       "headers",
                                       "params",
                                       "principal.id",
                                       "principal.trust_domain",
                                       "principal.path",
                                       "principal.kind",
                                       "source.ip",
                                       "source.port",
                                       "destination.ip",
                                       "destination.port",
                                       "tls.version",
                                       "tls.cipher",
                                       "tls.sni",
                                       "time",
                                       "grpc.service",
                                       "grpc.method",
                                       "body.complete",
                                       "body.size",
                                       "body.json",
                                       "jwt",
                                       "via",
                                       "client.ip"};
static_assert(std::size(kNames) == static_cast<size_t>(kLastAttr) + 1);

// Of a token: who it is about, and what it says of them. A JWT-SVID names a workload.
bool namesPerson(std::string_view key) {
  if (namesWorkload(key)) return false;
  const std::string_view part = key.substr(std::min(key.find('.'), key.size()));
  return !(part.empty() || part == ".issuer" || part == ".audiences" || part == ".expires" || part == ".key_id");
}

}  // namespace

bool namesWorkload(std::string_view key) {
  return key == "svid.id" || key == "svid.subject" || key == "svid.trust_domain" || key == "svid.path";
}

std::string_view name(Attr attr) {
  return kNames[static_cast<size_t>(attr)];
}

bool keyed(Attr attr) {
  return attr == Attr::kQuery || attr == Attr::kQueryList || attr == Attr::kHeader || attr == Attr::kHeaderList ||
         attr == Attr::kParam || attr == Attr::kJwt;
}

bool ofBody(Attr attr) {
  return attr == Attr::kBodyComplete || attr == Attr::kBodySize || attr == Attr::kBodyJson;
}

bool isSecret(Attr attr, std::string_view key) {
  if (attr == Attr::kBodyJson) return true;
  if (attr == Attr::kJwt) return namesPerson(key);
  const bool named =
      attr == Attr::kHeader || attr == Attr::kHeaderList || attr == Attr::kQuery || attr == Attr::kQueryList;
  return named && isSecretName(key);
}

bool attributeNamed(std::string_view what, Attr& attr, std::string_view& key) {
  for (size_t i = 0; i <= static_cast<size_t>(kLastAttr); ++i) {
    attr = static_cast<Attr>(i);
    const std::string_view prefix = name(attr);
    key = {};
    if (!keyed(attr) && what == prefix) return true;
    if (!keyed(attr) || !what.starts_with(prefix) || what.size() <= prefix.size() || what[prefix.size()] != '.')
      continue;
    key = what.substr(prefix.size() + 1);
    return true;
  }
  return false;
}

}  // namespace yett::policy
