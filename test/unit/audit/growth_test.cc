#include "audit/growth.h"

#include <catch2/catch.hpp>

#include "audit/chain_writer.h"
#include "support/tamper.h"
#include "support/temp_dir.h"

using namespace yett;

TEST_CASE("growth: a log reports how fast it grows") {
  const test::TempDir dir;
  audit::AuditConfig config;
  config.database = dir.path("yett.db");
  REQUIRE(audit::ChainWriter::open(config).ok());
  test::runSql(config.database,
               "INSERT INTO blocks VALUES (9, 1, 4, 1000, 2000, 0, x'', x'', x'', x''), "
               "(19, 10, 4, 86400001000, 86400002000, 0, x'', x'', x'', x'')");
  CHECK(audit::growthWarning(config).find(" a day), the disk is full in ") != std::string::npos);
}

TEST_CASE("growth: the days until the disk is full are estimated once the log is old enough") {
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
