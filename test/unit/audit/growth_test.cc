#include "audit/growth.h"

#include <catch2/catch.hpp>

using namespace yett;

TEST_CASE("growth: the days until the disk is full, once the log is old enough to tell") {
  const int64_t day = int64_t{24} * 3'600'000'000;
  CHECK(audit::growthWarning(0, 0, uint64_t{20} << 30) ==
        "nothing is ever deleted (no `audit.retention`), and 20GiB are free");
  CHECK(audit::growthWarning(1 << 30, 60'000'000, uint64_t{20} << 30).find("full in") == std::string::npos);
  CHECK(audit::growthWarning(int64_t{1} << 30, day, uint64_t{20} << 30)
            .ends_with("(1024MiB a day), the disk is full in 20 days"));
  CHECK(audit::growthWarning(int64_t{2} << 30, day, uint64_t{2} << 30).ends_with("the disk is full in 1 day"));
  audit::AuditConfig config;
  config.retention_size = 1 << 20;
  CHECK(audit::growthWarning(config).empty());
}
