// The number of records lost in a crash, counted in memory that outlives the process.
#include "audit/taken_page.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "audit/block_source.h"
#include "audit/chain_writer.h"
#include "audit/log_files.h"
#include "audit/open_log.h"
#include "audit/reader.h"
#include "audit/retention.h"
#include "store/sqlite.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

const std::string kLog(16, 'a');

struct Page {
  test::TempDir dir;
  std::string path = dir.path("yett.db.taken");
  std::unique_ptr<audit::TakenPage> open() const { return audit::TakenPage::open(path); }
  std::unique_ptr<audit::TakenPage> begun() const {
    auto out = open();
    REQUIRE(out->lost(kLog, 10) == std::nullopt);  // earlier losses are unknown
    out->begin(kLog, 10);
    return out;
  }
};

}  // namespace

TEST_CASE("taken: counted records that were not written are lost, whether the last commit succeeded or not") {
  Page page;
  auto first = page.begun();
  first->counter() += 7;
  first->setWritten(3);
  first->note(13);
  first->noted();
  first->setWritten(5);
  first->note(16);  // then a kill
  first.reset();
  CHECK(page.open()->lost(kLog, 13) == 4);
  CHECK(page.open()->lost(kLog, 16) == 2);
  CHECK(page.open()->lost(kLog, 10) == std::nullopt);
  CHECK(page.open()->lost(kLog, 17) == std::nullopt);
  CHECK(page.open()->lost(std::string(16, 'b'), 13) == std::nullopt);
}

TEST_CASE("taken: a process continues where the previous one was killed") {
  Page page;
  auto first = page.begun();
  first->counter() += 7;
  first->setWritten(7);
  first->note(17);
  first->noted();
  first->counter() += 2;
  first.reset();
  auto second = page.open();
  REQUIRE(second->lost(kLog, 17) == 2);
  second->note(20);  // its first commit: the two lost numbers and the gap event
  CHECK(page.open()->lost(kLog, 17) == 2);
  CHECK(page.open()->lost(kLog, 20) == 0);
  second->noted();
  second->counter() += 5;
  second->setWritten(1);
  second->note(21);
  second->noted();
  CHECK(page.open()->lost(kLog, 21) == 4);
}

TEST_CASE("taken: an invalid or implausible page is not trusted") {
  Page page;
  page.dir.write("yett.db.taken", std::string(8192, '\xff'));
  CHECK(page.open()->lost(kLog, -1) == std::nullopt);
  page.dir.write("yett.db.taken", "");
  CHECK(page.open()->lost(kLog, 0) == std::nullopt);
  CHECK(std::filesystem::file_size(page.path) == 4096);
  auto wrong = page.begun();
  wrong->counter() += uint64_t{1} << 40;  // more than can have been accepted
  wrong.reset();
  CHECK(page.open()->lost(kLog, 10) == std::nullopt);
  std::filesystem::remove(page.path);
  std::filesystem::create_symlink("elsewhere", page.path);
  CHECK(page.open() == nullptr);
}

TEST_CASE("taken: a new file that begins after lost records has a gap event") {
  test::TempDir dir;
  audit::AuditConfig config;
  config.database = dir.path("yett.db");
  {
    auto chain = audit::ChainWriter::open(config).value();
    REQUIRE(chain->begin(1).ok());
    REQUIRE(chain->add(audit::EventRecord{1, "start", "x", "y"}).ok());
    REQUIRE(chain->commit().ok());
    REQUIRE(chain->rotate().value() != "");
  }
  // The state after a kill between closing one file and creating the next.
  for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(config.database + part);
  std::filesystem::remove(config.database + ".taken");
  auto page = audit::TakenPage::open(config.database + ".taken");
  const auto closed = audit::closedFiles(config.database).front();
  auto db = audit::openClosedToRead(closed).value();
  page->begin(std::string(audit::metaBytes(db, "log_id").value().value()), audit::BlockSource(db).end().value().first);
  page->counter() += 9;
  page.reset();
  auto chain = audit::ChainWriter::open(config).value();
  auto reader = audit::Reader::open(config.database).value();
  audit::Query query;
  query.limit = 10;
  const auto events = reader.events(query).value();
  REQUIRE(events.size() == 1);
  CHECK(events[0].what == "gap");
  CHECK(events[0].count == 9);
  CHECK(events[0].detail.find("9 records were accepted but not written") != std::string::npos);
}

TEST_CASE("taken: a copy is not trusted") {
  Page page;
  auto open = page.begun();
  open.reset();
  std::filesystem::copy(page.path, page.dir.path("copy"));
  std::filesystem::remove(page.path);
  std::filesystem::rename(page.dir.path("copy"), page.path);
  CHECK(page.open()->lost(kLog, 10) == std::nullopt);
}

TEST_CASE("taken: if a start fails before it records the gap, the next start still records it") {
  test::TempDir dir;
  audit::AuditConfig config;
  config.database = dir.path("yett.db");
  {
    auto chain = audit::ChainWriter::open(config).value();
    REQUIRE(chain->begin(1).ok());  // leases numbers
    REQUIRE(chain->add(audit::EventRecord{1, "start", "x", "y"}).ok());
    REQUIRE(chain->commit().ok());
  }
  std::filesystem::remove(config.database + ".taken");  // as a reboot does
  {
    auto other = store::Database::open(config.database, store::Database::Mode::kRead).value();
    sqlite3* locker = nullptr;
    REQUIRE(sqlite3_open(config.database.c_str(), &locker) == SQLITE_OK);
    REQUIRE(sqlite3_exec(locker, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
    CHECK_FALSE(audit::ChainWriter::open(config).ok());
    sqlite3_close(locker);
  }
  auto chain = audit::ChainWriter::open(config);
  REQUIRE(chain.ok());
  CHECK(chain.value()->seq() > 100'000);
}

TEST_CASE("retention: knowledge of clock steps is carried over to the next file") {
  test::TempDir dir;
  audit::AuditConfig config;
  config.database = dir.path("yett.db");
  auto chain = audit::ChainWriter::open(config).value();
  audit::Retention retention(config);
  retention.onClockSet(7 * int64_t{86'400'000'000});
  REQUIRE(retention.keepClock(*chain).ok());
  REQUIRE(chain->rotate().value() != "");
  CHECK(audit::metaNumber(chain->database(), "clock_ahead").value() == 7 * int64_t{86'400'000'000});
  CHECK(audit::metaNumber(chain->database(), "clock_wait").value().value() > 0);
  retention.onClockSet(-7 * int64_t{86'400'000'000});
  REQUIRE(retention.keepClock(*chain).ok());
  CHECK_FALSE(audit::metaNumber(chain->database(), "clock_ahead").value());
}

TEST_CASE("taken: truncating the file does not crash the process") {
  Page page;
  auto open = page.begun();
  std::filesystem::resize_file(page.path, 0);
  open->counter() += 3;
  open->setWritten(1);
  open->note(11);
  open->noted();
  CHECK(open->counter() == 3);
  open.reset();
  CHECK(page.open()->lost(kLog, 11) == std::nullopt);
}
