#include "proxy/body_shares.h"

#include <catch2/catch.hpp>

using namespace yett;

TEST_CASE("body shares: one caller gets half, and there is always room for the next") {
  proxy::BodyShares shares(1'000'000);
  std::vector<size_t> connections(1000, 0);
  const auto fill = [&](const std::string& owner, size_t from) {
    size_t taken = 0;
    for (size_t i = from; i < from + 100; ++i) {
      while (shares.take(owner, &connections[i], 1000)) taken += 1000;
    }
    return taken;
  };
  const size_t first = fill("a", 0);
  CHECK(first >= 490'000);
  CHECK(first <= 500'000);
  const size_t second = fill("b", 100);
  CHECK(second >= 240'000);
  for (size_t caller = 2; caller < 8; ++caller) CHECK(fill("c" + std::to_string(caller), caller * 100) > 0);
  CHECK(shares.used() < 1'000'000);
  shares.give("a", &connections[0], connections[0]);
  CHECK(connections[0] == 0);
}

TEST_CASE("body shares: one connection cannot use the whole share of its caller") {
  proxy::BodyShares shares(900'000);
  size_t one = 0;
  size_t other = 0;
  while (shares.take("a", &one, 1000)) {
  }
  CHECK(one >= 290'000);
  CHECK(one <= 300'000);
  CHECK(shares.take("a", &other, 1000));
  shares.give("a", &one, one);
  shares.give("a", &other, other);
  CHECK(shares.used() == 0);
  CHECK_FALSE(shares.take("a", &one, 900'001));
}
