#include "audit/clock_watch.h"

#include <catch2/catch.hpp>

using namespace yett;

TEST_CASE("clock watch: a step of over a minute is reported once, whatever time has passed; slewing is not a step") {
  constexpr int64_t kSecond = 1'000'000;
  audit::ClockWatch watch;
  int64_t wall = 1'800'000'000 * kSecond;
  int64_t passed = 500 * kSecond;
  const auto look = [&](int64_t time, int64_t set) {
    wall += time + set;
    passed += time;
    return watch.look(wall, passed);
  };
  CHECK(look(0, 0) == 0);
  CHECK(look(86'400 * kSecond, 0) == 0);
  CHECK(look(kSecond, 3600 * kSecond) == 3600 * kSecond);
  CHECK(look(kSecond, 0) == 0);
  CHECK(look(kSecond, -3600 * kSecond) == -3600 * kSecond);
  for (int i = 0; i < 1000; ++i) CHECK(look(kSecond, kSecond) == 0);
  CHECK(look(kSecond, 59 * kSecond) == 0);
  CHECK(look(kSecond, 60 * kSecond) == 60 * kSecond);
}
