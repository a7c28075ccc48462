// What the first verification of a token costs, by algorithm: nanoseconds, best of several rounds.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "identity/jwt.h"
#include "support/signing.h"

using namespace yett;

namespace {

constexpr const char* kClaims =
    R"({"iss":"https://idp.example.com","aud":["orders","payments"],"sub":"6f1c0a52-0f5b-4b5c-9d0e-3a9d1f0f7f11",)"
    R"("exp":4000000000,"iat":1700000000,"scope":"openid profile orders:read","groups":["admins","clerks","eu"],)"
    R"("email":"jane@example.com","email_verified":true})";

void measure(const test::SigningKey& key, identity::JwsAlgorithm algorithm) {
  const std::string token = key.token(algorithm, kClaims);
  const auto keys = identity::readJwkSet("{\"keys\":[" + key.jwk() + "]}");
  const identity::JwtRules rules{"https://idp.example.com", {"orders"}, {algorithm}};
  constexpr int64_t kNow = 1'800'000'000;
  double best = 1e18;
  for (int round = 0; round < 7; ++round) {
    constexpr int kTokens = 300;
    const int64_t began = base::steadyNanos();
    for (int i = 0; i < kTokens; ++i) {
      if (identity::verifyJwt(token, rules, keys.value(), kNow)) continue;
      std::fprintf(stderr, "the token is refused\n");
      std::exit(2);
    }
    best = std::min(best, static_cast<double>(base::steadyNanos() - began) / kTokens);
  }
  std::printf("%s %.0f\n", identity::name(algorithm), best);
}

}  // namespace

int main() {
  using A = identity::JwsAlgorithm;
  const auto rsa = test::SigningKey::rsa(2048, "k");
  for (const A one : {A::kRs256, A::kRs384, A::kRs512, A::kPs256, A::kPs384, A::kPs512}) measure(rsa, one);
  measure(test::SigningKey::ec("P-256", "k"), A::kEs256);
  measure(test::SigningKey::ec("P-384", "k"), A::kEs384);
  measure(test::SigningKey::ec("P-521", "k"), A::kEs512);
  measure(test::SigningKey::ed25519("k"), A::kEdDsa);
  return 0;
}
