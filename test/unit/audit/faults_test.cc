// The audit log on a disk that fails, and after power losses.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "audit/chain_writer.h"
#include "audit/log_files.h"
#include "audit/reader.h"
#include "audit/verifier.h"
#include "audit/writer.h"
#include "support/faulty_vfs.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

int times(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : otherwise;
}

audit::AuditConfig configOf(const std::string& path, bool strict) {
  audit::AuditConfig out;
  out.database = path;
  out.strict = strict;
  out.batch_interval = base::Millis(1);
  return out;
}

audit::DecisionRecord decision(const std::string& id) {
  audit::DecisionRecord r;
  r.id = id;
  r.time_micros = 1'800'000'000'000'000;
  r.principal = "spiffe://example.org/a";
  r.path = "/orders/42";
  r.allow = true;
  r.rule = "reads";
  return r;
}

std::set<std::string> idsIn(const std::string& path) {
  auto reader = audit::Reader::open(path).value();
  std::set<std::string> out;
  REQUIRE(reader.each({}, [&](const audit::Row& row) { return out.insert(row.id), true; }).ok());
  return out;
}

std::string brokenness(const std::string& path) {
  return audit::verify({path}, {}, 1, [](int64_t) {}).value().broken;
}

}  // namespace

TEST_CASE("audit: whichever write fails, no accepted record is lost and the chain is intact") {
  int failing = 0;
  for (int64_t n = 1;; n += times("YETT_TEST_FULL", 0) != 0 ? 1 : 4) {
    const test::TempDir dir;
    const std::string path = dir.path("yett.db");
    std::set<std::string> taken;
    int64_t operations = 0;
    bool opened = false;
    {
      test::FaultyVfs disk;
      disk.failAt(n, 1 + n % 3);
      base::Metrics metrics;
      auto writer = audit::Writer::open(configOf(path, false), metrics, {[](const std::string&) {}, {}});
      opened = writer.ok();
      for (int i = 0; opened && i < 12; ++i) {
        const std::string id = "id-" + std::to_string(i);
        const uint64_t ticket = writer.value()->append(decision(id));
        if (ticket != 0) {
          taken.insert(id);
          writer.value()->append(ticket, audit::OutcomeRecord{200, "", 0, 5, 100, "complete"});
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      if (opened) writer.value().reset();
      operations = disk.operations();
    }
    INFO("the write that fails: " << n);
    if (!opened) continue;  // it reported why; there is nothing to lose yet
    CHECK(brokenness(path) == "");
    CHECK(idsIn(path) == taken);
    if (operations < n) break;
    ++failing;
  }
  CHECK(failing > 5);
}

TEST_CASE("audit: a stop on a full disk reports all lost records once") {
  const test::TempDir dir;
  auto config = configOf(dir.path("yett.db"), false);
  config.batch_records = 50;  // many batches
  config.batch_interval = base::Millis(200);
  std::vector<std::string> told;
  size_t taken = 0;
  {
    test::FaultyVfs disk;
    base::Metrics metrics;
    auto writer =
        audit::Writer::open(config, metrics, {[&](const std::string& why) { told.push_back(why); }, {}}).value();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    disk.failAt(1, INT32_MAX);
    for (int i = 0; i < 500; ++i) taken += writer->append(decision("id-" + std::to_string(i))) != 0 ? 1 : 0;
    writer->finish();
    disk.failAt(0);
  }
  REQUIRE(told.size() == 2);
  CHECK(told[1].starts_with(std::to_string(taken) + " records are lost: "));
}

TEST_CASE("audit: a batch that could not be committed is written again, with outcomes attached to their decisions") {
  int failed = 0;
  for (int64_t n = 1; n < 120; n += times("YETT_TEST_FULL", 0) != 0 ? 1 : 7) {
    INFO("the write that fails: " << n);
    const test::TempDir dir;
    const std::string path = dir.path("yett.db");
    auto config = configOf(path, false);
    config.batch_interval = base::Millis(20);
    size_t taken = 0;
    {
      test::FaultyVfs disk;
      base::Metrics metrics;
      auto writer =
          audit::Writer::open(config, metrics, {[&](const std::string& why) { failed += why.empty() ? 0 : 1; }, {}})
              .value();
      disk.failAt(n, 2);
      std::vector<uint64_t> open;
      for (int piece = 0; piece < 20; ++piece) {
        for (const uint64_t ticket : open) writer->append(ticket, audit::OutcomeRecord{200, "", 0, 5, 100, "complete"});
        open.clear();
        for (int i = 0; i < 150; ++i) {
          const uint64_t ticket = writer->append(decision("id-" + std::to_string(taken)));
          if (ticket == 0) continue;
          ++taken;
          open.push_back(ticket);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
      }
      for (const uint64_t ticket : open) writer->append(ticket, audit::OutcomeRecord{200, "", 0, 5, 100, "complete"});
    }
    CHECK(brokenness(path) == "");
    size_t whole = 0;
    auto reader = audit::Reader::open(path).value();
    REQUIRE(reader.each({}, [&](const audit::Row& row) { return whole += row.status == 200 ? 1 : 0, true; }).ok());
    CHECK(whole == taken);
  }
  CHECK(failed > 5);
}

TEST_CASE("audit: a loss of power loses no record whose request strict mode forwarded") {
  const int rounds = times("YETT_TEST_POWER", 6);
  size_t let_through = 0;
  int64_t undone = 0;
  for (int seed = 1; seed <= rounds; ++seed) {
    INFO("seed " << seed);
    const test::TempDir dir;
    const std::string path = dir.path("yett.db");
    std::mt19937 random(static_cast<unsigned>(seed));
    std::atomic<uint64_t> durable = 0;
    std::vector<std::pair<uint64_t, std::string>> tickets;
    {
      test::FaultyVfs disk;
      base::Metrics metrics;
      audit::WriterEvents events{[](const std::string&) {}, [&](uint64_t ticket) { durable = ticket; }};
      auto writer = audit::Writer::open(configOf(path, true), metrics, events).value();
      disk.losePowerAt(5 + random() % 300, [kept = random]() mutable { return kept() % 2 == 0; });
      for (int i = 0; i < 400'000 && disk.undone() < 0; ++i) {
        const std::string id = "id-" + std::to_string(i);
        if (const uint64_t ticket = writer->append(decision(id)); ticket != 0) tickets.emplace_back(ticket, id);
        if (i % 20 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
      CHECK(disk.undone() >= 0);
      undone += disk.undone();
      writer.reset();
    }
    std::remove((path + "-shm").c_str());
    base::Metrics metrics;
    REQUIRE(audit::Writer::open(configOf(path, true), metrics, {[](const std::string&) {}, {}}).ok());
    CHECK(brokenness(path) == "");
    std::erase_if(tickets, [&](const auto& t) { return t.first > durable; });
    const auto found = idsIn(path);
    for (const auto& [ticket, id] : tickets) {
      if (!found.contains(id)) FAIL("lost: " << id << " of " << tickets.size());
    }
    let_through += tickets.size();
  }
  WARN(rounds << " power losses, " << let_through << " records of forwarded requests, none lost; " << undone
              << " unsynced writes undone");
  CHECK(undone > 0);
  CHECK(let_through > 0);
}

TEST_CASE("audit: whichever write fails during a rotation, the chain continues intact") {
  int rotated = 0;
  for (int64_t n = 1; n < 600; n += times("YETT_TEST_FULL", 0) != 0 ? 1 : 5) {
    const test::TempDir dir;
    const std::string path = dir.path("yett.db");
    size_t taken = 0;
    bool finished = false;
    {
      test::FaultyVfs disk;
      auto chain = audit::ChainWriter::open(configOf(path, false)).value();
      const auto add = [&]() -> Status {
        TRY(chain->ready());
        TRY(chain->begin(1));
        auto done = chain->add(audit::EventRecord{1, "e", "", "", 1});
        if (done) done = chain->commit();
        if (!done) chain->rollback();
        return done;
      };
      for (int i = 0; i < 5; ++i) taken += add().ok() ? 1 : 0;
      disk.failAt(n, 2);
      const auto closed = chain->rotate();
      finished = disk.operations() < n;
      if (closed) ++rotated;
      for (int i = 0; i < 5; ++i) taken += add().ok() ? 1 : 0;
      disk.failAt(0);
      taken += add().ok() ? 1 : 0;
      (void)chain->close();
    }
    INFO("the write that fails: " << n);
    const auto files = audit::logFiles(path);
    const auto v = audit::verify(files, {}, 1, [](int64_t) {}).value();
    CHECK(v.broken == "");
    int64_t found = 0;
    for (const auto& file : files) {
      auto reader = audit::Reader::open(file).value();
      const auto events = reader.events({}).value();
      for (const auto& event : events) found += event.what == "e" ? 1 : 0;
    }
    CHECK(found == static_cast<int64_t>(taken));
    if (finished) break;
  }
  CHECK(rotated > 0);
}
