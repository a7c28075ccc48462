// Token buckets: rates, bursts, and memory that callers cannot use up.
#include "proxy/rate_limit.h"

#include <catch2/catch.hpp>

using namespace yett;
using proxy::RateLimit;
using proxy::RateLimitConfig;

namespace {

constexpr int64_t kSecond = 1'000'000'000;

}  // namespace

TEST_CASE("rate limit: a burst, then the rate, and how long to wait") {
  RateLimit limit({RateLimitConfig::By::kAll, 10, base::Millis(1000), 3});
  for (int i = 0; i < 3; ++i) CHECK(limit.take("", 0) == 0);
  CHECK(limit.take("", 0) == kSecond / 10);
  CHECK(limit.take("", kSecond / 10) == 0);
  CHECK(limit.take("", kSecond / 10) == kSecond / 10);
  limit.giveBack("");
  CHECK(limit.take("", kSecond / 10) == 0);
  int passed = 0;
  for (int64_t now = kSecond; now < 11 * kSecond; now += kSecond / 1000) passed += limit.take("", now) == 0 ? 1 : 0;
  CHECK(passed == Approx(103).margin(1));
}

TEST_CASE("rate limit: callers have their own, and many callers use no more memory") {
  RateLimit limit({RateLimitConfig::By::kPrincipal, 1, base::Millis(60'000), 2});
  CHECK(limit.take("a", 0) == 0);
  CHECK(limit.take("a", 0) == 0);
  CHECK(limit.take("a", 0) > 0);
  CHECK(limit.take("b", 0) == 0);
  for (int i = 0; i < 100'000; ++i) limit.take("caller" + std::to_string(i), 1);
  CHECK(limit.keys() <= RateLimit::kMostKeys);
  CHECK(limit.take("a", 1) > 0);  // nobody gets more by being forgotten
  // Once the buckets are full again, others get the room.
  const int64_t later = 200 * kSecond;
  for (int i = 0; i < 100; ++i) CHECK(limit.take("new" + std::to_string(i), later) == 0);
}

TEST_CASE("rate limit: addresses of one IPv6 network count as one") {
  std::string a;
  std::string b;
  CHECK(proxy::sourceKey("2001:db8:1:2::1", a) == proxy::sourceKey("2001:db8:1:2:ffff::9", b));
  CHECK(proxy::sourceKey("2001:db8:1:3::1", a) != proxy::sourceKey("2001:db8:1:2::1", b));
  CHECK(proxy::sourceKey("10.0.0.1", a) == "10.0.0.1");
}
