#include "runtime/policy_warnings.h"

#include <algorithm>

#include "base/text.h"
#include "config/config.h"
#include "lua/source_lint.h"
#include "policy/policy_set.h"
#include "policy/rule_engine.h"
#include "request/header_families.h"

namespace yett::runtime {
namespace {

// Names that stand for the hop, or for Yett, and reach neither policy nor service.
bool neverSeen(const std::string& header) {
  static constexpr std::string_view kHop[] = {"connection", "keep-alive",        "proxy-connection", "te",
                                              "upgrade",    "transfer-encoding", "http2-settings"};
  return std::find(std::begin(kHop), std::end(kHop), header) != std::end(kHop) || header.starts_with("x-yett-");
}

// Some listener lets forwarders send it.
bool kept(const config::Config& config, const std::string& header) {
  for (const auto& listener : config.listeners) {
    for (const auto& name : listener.keep_headers) {
      if (name == header || (name.ends_with('*') && header.starts_with(name.substr(0, name.size() - 1)))) return true;
    }
    if (!listener.trusted_forwarders.empty() && header.starts_with("x-forwarded-")) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> policyWarnings(const Generation& generation) {
  std::vector<std::string> out;
  const auto& config = generation.config;
  std::vector<std::string_view> domains;
  for (const auto& [domain, bundle] : config.identity.trust_bundles) domains.push_back(domain);
  const bool all_known = config.identity.workload_api.empty();
  bool bodies = false;
  std::vector<std::string_view> providers;
  for (const auto& listener : config.listeners) {
    for (const auto& route : listener.routes) {
      bodies = bodies || route.buffer_body > 0;
      for (const auto& [provider, required] : route.jwt) providers.push_back(provider);
    }
  }
  for (const auto& engine : generation.policy->engines()) {
    for (const auto& rule : engine.rules->rules()) {
      const std::string at = rule.position + ": rule `" + base::printable(rule.rule) + "` ";
      for (const auto& domain : rule.trust_domains) {
        if (all_known && std::find(domains.begin(), domains.end(), domain) == domains.end())
          out.push_back(at + "names the trust domain `" + base::printable(domain) +
                        "`, which has no bundle: no such caller gets in" + base::didYouMean(domain, domains));
      }
      for (const auto& provider : rule.providers) {
        if (std::find(providers.begin(), providers.end(), provider) == providers.end())
          out.push_back(at + "names the tokens of `" + base::printable(provider) +
                        "`, which no route asks for: there is never one" + base::didYouMean(provider, providers));
      }
      for (const auto& header : rule.headers) {
        std::string folded;
        const bool family = request::familyOf(request::foldedName(header, folded)) != nullptr;
        if (neverSeen(header) || (family && !kept(config, header)))
          out.push_back(at + "wants the header `" + base::printable(header) +
                        "`, which Yett removes from every request (docs/http.md)");
        for (const auto& [provider, jwt] : config.jwt) {
          if (jwt.headers.contains(header))
            out.push_back(at + "wants the header `" + base::printable(header) + "`, which only a token of `" +
                          base::printable(provider) +
                          "` sets, after policy: policy never sees it; match the claim instead");
        }
      }
    }
    if (bodies || std::string_view(engine.rules->type()) != "lua") continue;
    for (const auto& [name, text] : engine.rules->files()) {
      if (name.ends_with(".lua") && lua::readsBody(text))
        out.push_back(name + ": reads `body`, but no route has `buffer_body`: it is always absent");
    }
  }
  return out;
}

}  // namespace yett::runtime
