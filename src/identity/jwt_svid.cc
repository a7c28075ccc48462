#include "identity/jwt_svid.h"

namespace yett::identity {

JwtResult verifyJwtSvid(std::string_view token, const std::vector<std::string>& audiences, const TrustBundles& bundles,
                        int64_t clock_skew, int64_t now) {
  const auto hints = jwtHints(token);
  if (!hints) return JwtRefusal{hints.error().message};
  if (hints.value().key_id.empty()) return JwtRefusal{"it has no `kid`"};
  const auto id = SpiffeId::parse(hints.value().subject);
  if (!id || id.value().path().empty()) return JwtRefusal{"its `sub` is not the SPIFFE ID of a workload"};
  const auto* bundle = bundles.find(id.value().trustDomain());
  if (bundles.awaits(id.value().trustDomain()) && (bundle == nullptr || bundle->jwt_keys.empty()))
    return JwtRefusal{.why = "the keys of its trust domain are not known yet", .keys_awaited = true};
  if (bundle == nullptr) return JwtRefusal{"its trust domain has no bundle"};
  using A = JwsAlgorithm;
  const JwtRules rules{
      .issuer = "",
      .audiences = audiences,
      .algorithms = {A::kRs256, A::kRs384, A::kRs512, A::kPs256, A::kPs384, A::kPs512, A::kEs256, A::kEs384, A::kEs512},
      .types = {"JWT", "JOSE"},
      .clock_skew = clock_skew};
  return verifyJwt(token, rules, bundle->jwt_keys, now);
}

}  // namespace yett::identity
