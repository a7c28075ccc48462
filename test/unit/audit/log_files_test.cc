// The files of a log, while rotation renames and retention deletes them.
#include "audit/log_files.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "audit/chain_writer.h"
#include "audit/later_outcomes.h"
#include "audit/open_log.h"
#include "audit/reader.h"
#include "audit/record.h"
#include "audit/verifier.h"
#include "store/sqlite.h"
#include "support/temp_dir.h"

using namespace yett;

TEST_CASE("rotation: a closed file deleted before its write-ahead log was emptied does not reappear") {
  test::TempDir dir;
  audit::AuditConfig config;
  config.database = dir.path("yett.db");
  auto chain = audit::ChainWriter::open(config).value();
  REQUIRE(chain->begin(1).ok());
  REQUIRE(chain->add(audit::EventRecord{1, "start", "x", "y"}).ok());
  REQUIRE(chain->commit().ok());
  auto reader = store::Database::open(config.database, store::Database::Mode::kRead).value();
  REQUIRE(reader.execute("BEGIN; SELECT count(*) FROM meta").ok());
  REQUIRE(chain->begin(1).ok());
  REQUIRE(chain->add(audit::EventRecord{1, "start", "x", "y"}).ok());
  REQUIRE(chain->commit().ok());
  const std::string closed = chain->rotate().value();
  REQUIRE(std::filesystem::exists(closed + "-wal"));
  for (const char* part : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(closed + part);
  chain->tidy();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  chain->tidy();
  CHECK_FALSE(std::filesystem::exists(closed));
  CHECK_FALSE(std::filesystem::exists(closed + ".lock"));
}

TEST_CASE("log files: opening a missing closed file does not create it") {
  test::TempDir dir;
  const std::string path = dir.path("yett.000000000007.db");
  CHECK_FALSE(audit::openClosedLog(path).ok());
  CHECK(std::filesystem::is_empty(dir.path("")));
}

TEST_CASE("log files: a listed file is never mistaken for another one") {
  test::TempDir dir;
  const std::string live = dir.path("yett.db");
  const std::string closed = dir.path("yett.000000000007.db");
  dir.write("yett.000000000007.db", "a");
  dir.write("yett.db", "b");
  const auto files = audit::logFiles(live);
  REQUIRE(files.size() == 2);
  CHECK(audit::nameNow(files[0]) == closed);
  CHECK(audit::nameNow(files[1]) == live);
  // Rotation renames the live file and gives its name to a new file.
  const std::string next = dir.path("yett.000000000009.db");
  std::filesystem::rename(live, next);
  CHECK(audit::nameNow(files[1]) == next);
  // Retention deletes both, and new files may get their inodes.
  std::filesystem::remove(closed);
  std::filesystem::remove(next);
  for (int i = 0; i < 64; ++i) {
    dir.write("yett.0000000001" + std::to_string(10 + i) + ".db", "c");
    dir.write("yett.db", "c");
    CHECK(audit::nameNow(files[0]) == std::nullopt);
    CHECK(audit::nameNow(files[1]) == std::nullopt);
    std::filesystem::remove(live);
  }
}

TEST_CASE("rotation: a kill between its renames loses nothing") {
  test::TempDir dir;
  audit::AuditConfig config;
  config.database = dir.path("yett.db");
  std::optional<store::Database> reader;
  int64_t last = 0;
  {
    auto chain = audit::ChainWriter::open(config).value();
    reader.emplace(store::Database::open(config.database, store::Database::Mode::kRead).value());
    REQUIRE(reader->execute("BEGIN; SELECT count(*) FROM meta").ok());  // keeps the write-ahead log alive
    for (int i = 0; i < 5; ++i) {
      REQUIRE(chain->begin(1).ok());
      REQUIRE(chain->add(audit::EventRecord{1, "start", "x", "y"}).ok());
      REQUIRE(chain->commit().ok());
    }
    last = chain->seq();
  }
  const std::string closed = audit::closedName(config.database, last);
  REQUIRE(std::filesystem::exists(config.database + "-wal"));
  std::filesystem::copy(config.database + "-wal", dir.path("kept"));  // closing the last connection removes it
  reader.reset();
  std::filesystem::rename(dir.path("kept"), config.database + "-wal");
  std::filesystem::rename(config.database, closed);
  {
    auto chain = audit::ChainWriter::open(config);
    REQUIRE(chain.ok());
    CHECK(chain.value()->seq() > last);
  }
  const auto v = audit::verify({closed, config.database}, {}, 1, [](int64_t) {}).value();
  CHECK(v.broken == "");
  CHECK(v.records == v.last_seq);
}

TEST_CASE("log files: the name of a closed file contains its last record number") {
  CHECK(audit::closedNumber("audit/yett.000000000412.db") == 412);
  CHECK(audit::closedNumber(audit::closedName("a.b/yett", 7)) == 7);
  CHECK(audit::closedNumber(audit::closedName("yett.db", 9'999'999'999'999)) == 9'999'999'999'999);
}

TEST_CASE("readers: records that retention deletes during a read are reported") {
  test::TempDir dir;
  audit::AuditConfig config;
  config.database = dir.path("yett.db");
  auto chain = audit::ChainWriter::open(config).value();
  for (int block = 0; block < 4; ++block) {
    REQUIRE(chain->begin(3).ok());
    audit::Encoded encoded;
    audit::DecisionRecord decision;
    decision.id = "x";
    encode(decision, encoded);
    REQUIRE(chain
                ->add({.kind = audit::Kind::kDecision,
                       .fields = encoded.fields,
                       .entries = encoded.entries,
                       .personal = encoded.personal,
                       .personal_entries = encoded.personal_entries})
                .ok());
    REQUIRE(chain->closeBlock().ok());
    REQUIRE(chain->commit().ok());
  }
  auto reader = audit::Reader::open(config.database).value();
  int64_t rows = 0;
  const auto take = [&](audit::Row& row) {
    if (++rows == 1)
      REQUIRE(chain->database()
                  .execute("DELETE FROM blocks WHERE last > " + std::to_string(row.seq) +
                           " AND last < (SELECT max(last) FROM blocks)")
                  .ok());
    return true;
  };
  REQUIRE(reader.each({}, take).ok());
  CHECK(rows == 2);
  const auto gone = reader.takeGone();
  REQUIRE(gone);
  CHECK(gone->second - gone->first == 1);
  CHECK_FALSE(reader.takeGone());
}

TEST_CASE("readers: a later file deleted by retention has no outcomes and is not an error") {
  test::TempDir dir;
  dir.write("yett.db", "live");
  dir.write("yett.000000000007.db", "closed");
  dir.write("yett.000000000009.db", "closed");
  const auto files = audit::logFiles(dir.path("yett.db"));
  REQUIRE(files.size() == 3);
  std::filesystem::remove(files[1].path);
  std::filesystem::remove(files[2].path);
  audit::LaterOutcomes later(files);
  audit::Row row{};
  CHECK(later.complete(0, row).ok());
  CHECK_FALSE(row.ended);
}
