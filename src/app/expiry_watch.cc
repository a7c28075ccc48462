#include "app/expiry_watch.h"

#include <utility>

#include "identity/own_certificate.h"

namespace yett::app {

using Due = identity::ExpiryNotice::Due;

void ExpiryWatch::look(const runtime::Generation& generation, int64_t now) {
  const std::string& keys = generation.config.identity.unsafe_key_log;
  if (std::exchange(key_log_, keys) != keys && !keys.empty())
    log_.warning("the keys of TLS connections are written to a file: whoever has it can read all traffic",
                 {{"file", keys}});
  const bool early = generation.certificate_expires != 0 && now < generation.certificate_valid_from;
  if (std::exchange(early_, early) != early && early)
    log_.error("Yett's own certificate is not valid yet: callers refuse it; is the clock right?");
  if (generation.certificate_expires != 0) {
    const std::string valid = identity::validFor(generation.certificate_expires, now);
    const auto& identity = generation.config.identity;
    const std::string from = identity.workload_api.empty() ? identity.certificate : "unix://" + identity.workload_api;
    switch (own_.due(generation.certificate_valid_from, generation.certificate_expires, now)) {
      case Due::kNothing: break;
      case Due::kEnds: log_.warning("Yett's own certificate ends soon", {{"valid", valid}, {"from", from}}); break;
      case Due::kEnded:
        log_.error("Yett's own certificate has expired: callers refuse it", {{"valid", valid}, {"from", from}});
    }
  }
  if (!generation.bundles) return;
  for (const auto& [domain, bundle] : generation.bundles->all()) {
    if (!bundle->revocations) continue;
    const std::string& unused = bundle->revocations->unused();
    if (std::exchange(unused_[domain], unused) != unused && !unused.empty())
      log_.warning("a CRL is not used", {{"trust_domain", domain}, {"why", unused}});
    if (bundle->revocations->nextUpdate() == 0) continue;
    const auto due = crls_[domain].due(bundle->revocations->lastUpdate(), bundle->revocations->nextUpdate(), now);
    if (due != Due::kEnded) continue;
    log_.warning(bundle->crl_required ? "a CRL has expired: callers of this trust domain are refused"
                                      : "a CRL has expired: later revocations are not known",
                 {{"trust_domain", domain}});
  }
}

}  // namespace yett::app
