#include "identity/expiry_notice.h"

#include <catch2/catch.hpp>

using yett::identity::ExpiryNotice;
using Due = ExpiryNotice::Due;

namespace {
constexpr int64_t kHour = 3600;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kFrom = 1'800'000'000;
}  // namespace

TEST_CASE("expiry notice: a third of life before the end, then daily, and at the end") {
  ExpiryNotice notice;
  const int64_t until = kFrom + 30 * kDay;
  CHECK(notice.due(kFrom, until, kFrom) == Due::kNothing);
  CHECK(notice.due(kFrom, until, until - 10 * kDay - 1) == Due::kNothing);
  CHECK(notice.due(kFrom, until, until - 10 * kDay) == Due::kEnds);
  CHECK(notice.due(kFrom, until, until - 10 * kDay + 2) == Due::kNothing);
  CHECK(notice.due(kFrom, until, until - 9 * kDay) == Due::kEnds);
  CHECK(notice.due(kFrom, until, until - kHour) == Due::kEnds);
  CHECK(notice.due(kFrom, until, until - 1) == Due::kNothing);
  CHECK(notice.due(kFrom, until, until) == Due::kEnded);
  CHECK(notice.due(kFrom, until, until + kHour) == Due::kNothing);
  CHECK(notice.due(kFrom, until, until + kDay) == Due::kEnded);
}

TEST_CASE("expiry notice: short lives are told by the hour, and a renewed one begins anew") {
  ExpiryNotice notice;
  const int64_t until = kFrom + 12 * kHour;
  CHECK(notice.due(kFrom, until, until - 4 * kHour) == Due::kEnds);
  CHECK(notice.due(kFrom, until, until - 4 * kHour + 1800) == Due::kNothing);
  CHECK(notice.due(kFrom, until, until - 3 * kHour) == Due::kEnds);
  CHECK(notice.due(kFrom, until + kDay, until - 3 * kHour) == Due::kNothing);
  CHECK(notice.due(kFrom, until + kDay, until + kDay) == Due::kEnded);
  // The clock is set back: it is said again when the time comes.
  CHECK(notice.due(kFrom, until + kDay, kFrom + kHour) == Due::kNothing);
  CHECK(notice.due(kFrom, until + kDay, until + kDay) == Due::kEnded);
}
