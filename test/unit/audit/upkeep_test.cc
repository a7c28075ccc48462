// The life of a log over the years: keys change, files fill up, records age, and people request erasure.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "audit/block_filter.h"
#include "audit/erase.h"
#include "audit/later_outcomes.h"
#include "audit/log_files.h"
#include "audit/policies.h"
#include "audit/reader.h"
#include "audit/record_keys.h"
#include "audit/retention.h"
#include "audit/verifier.h"
#include "audit/writer.h"
#include "base/clock.h"
#include "store/sqlite.h"
#include "support/tamper.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

struct Log {
  test::TempDir dir;
  audit::AuditConfig config;
  base::Metrics metrics;
  std::vector<std::string> failures;
  int64_t time = 1'800'000'000'000'000;
  int made = 0;

  Log() {
    config.database = dir.path("yett.db");
    config.batch_interval = base::Millis(1);
  }
  std::string makeKey(const std::string& name) {
    const auto pair = audit::generateSigningKey().value();
    dir.write(name, pair.private_pem);
    return audit::publicKeyFromPem(pair.public_pem).value();
  }
  std::unique_ptr<audit::Writer> open() {
    auto out = audit::Writer::open(config, metrics, {[this](const std::string& why) { failures.push_back(why); }, {}});
    if (!out) throw std::runtime_error(out.error().message);
    return std::move(out).value();
  }
  void write(audit::Writer& writer, int count, const std::string& who = "a") {
    for (int i = 0; i < count; ++i) {
      audit::DecisionRecord r;
      const std::string id = "id-" + std::to_string(made++);
      const std::string principal = "spiffe://example.org/" + who;
      r.id = id;
      r.time_micros = time += 1000;
      r.principal = principal;
      r.path = "/orders/42";
      r.host = "orders";
      r.rule = "default";
      r.policy_digest = "d1";
      const std::string reads = "{\"header.x\":\"" + base::sha256Hex(id) + "\"}";  // incompressible
      r.reads = reads;
      const uint64_t ticket = writer.append(r);
      REQUIRE(ticket != 0);
      writer.append(ticket, audit::OutcomeRecord{403, "", 0, 5, 100, "denied"});
      if (i % 500 == 499) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  audit::Verification verify(audit::Expected expected = {}, std::vector<std::string> files = {}) const {
    if (files.empty()) files.push_back(config.database);
    return audit::verify({files.begin(), files.end()}, expected, 2, [](int64_t) {}).value();
  }
  int64_t count(const audit::Query& query = {}) const {
    auto reader = audit::Reader::open(config.database).value();
    int64_t out = 0;
    REQUIRE(reader.each(query, [&](const audit::Row&) { return ++out, true; }).ok());
    return out;
  }
  /** Returns when the writer has committed so many decisions. */
  void waitForCount(int64_t decisions) const {
    for (int i = 0; i < 1000 && count() < decisions; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    REQUIRE(count() == decisions);
  }
  std::vector<audit::EventRow> events(const std::string& what) const {
    auto reader = audit::Reader::open(config.database).value();
    audit::Query query;
    query.limit = 10'000;
    auto out = reader.events(query).value();
    std::erase_if(out, [&](const auto& e) { return e.what != what; });
    return out;
  }
};

}  // namespace

TEST_CASE("keys: a key change signed by the old key is trusted with the old key and with the new one") {
  Log log;
  const std::string first = log.makeKey("one.key");
  const std::string second = log.makeKey("two.key");
  log.config.key_file = log.dir.path("one.key");
  log.write(*log.open(), 10);
  SECTION("signed") {
    log.config.key_file = log.dir.path("two.key");
    log.config.previous_key_file = log.dir.path("one.key");
    log.write(*log.open(), 10);
    log.config.previous_key_file.clear();
    log.write(*log.open(), 10);
    CHECK(log.verify().broken == "");
    CHECK(log.verify({.public_key = first}).authenticated);
    CHECK(log.verify({.public_key = second}).authenticated);
    CHECK(log.verify().keys.size() == 2);
    CHECK(log.events("key changed").empty());
    const std::string stranger = log.makeKey("three.key");
    CHECK_FALSE(log.verify({.public_key = stranger}).authenticated);
    // The old key is no longer valid after the handover.
    log.config.key_file = log.dir.path("one.key");
    log.write(*log.open(), 10);
    CHECK(log.events("key changed").size() == 1);
    CHECK_FALSE(log.verify({.public_key = second}).authenticated);
  }
  SECTION("not signed: an event says so, and the old key does not authenticate the new one") {
    log.config.key_file = log.dir.path("two.key");
    log.write(*log.open(), 10);
    CHECK(log.verify().broken == "");
    CHECK(log.events("key changed").size() == 1);
    CHECK_FALSE(log.verify({.public_key = first}).authenticated);
    CHECK(log.verify({.public_key = second}).authenticated);
  }
  SECTION("a previous key that is not the one that signed") {
    log.config.key_file = log.dir.path("two.key");
    log.config.previous_key_file = log.dir.path("two.key");
    CHECK_THROWS_WITH(log.open(), Catch::Matchers::Contains("is not the key that signed last"));
  }
}

TEST_CASE("erase: personal fields are gone from the files, the chain records it and verifies") {
  Log log;
  auto writer = log.open();
  log.write(*writer, 3000, "secret-name");
  log.write(*writer, 3000, "somebody-else");
  log.write(*writer, 10, "secret-name");  // in the open block
  log.waitForCount(6010);
  audit::Query query;
  query.principal = "spiffe://example.org/secret-name";
  std::vector<int64_t> seqs;
  {
    auto reader = audit::Reader::open(log.config.database).value();
    REQUIRE(reader.each(query, [&](const audit::Row& row) { return seqs.push_back(row.seq), true; }).ok());
  }
  CHECK(seqs.size() == 3010);
  REQUIRE(writer
              ->runOnChain([&](audit::ChainWriter& chain) -> Status {
                CHECK(TRY(audit::erase(chain, log.config.database, seqs, "ticket 7")) == 3010);
                CHECK(TRY(audit::erase(chain, log.config.database, seqs, "again")) == 0);
                return audit::eraseTraces(chain, log.config.database);
              })
              .ok());
  log.write(*writer, 3000, "somebody-else");
  writer.reset();
  CHECK(log.verify().broken == "");
  CHECK(log.verify().erased == 3010);
  CHECK(log.events("erased").size() == 1);
  CHECK(log.count() == 9010);
  CHECK(log.count(query) == 0);
  for (const char* part : {"", "-wal"}) {
    std::ifstream file(log.config.database + part, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    CHECK(bytes.find("secret-name") == std::string::npos);
  }
  const int64_t gone = seqs.front();
  SECTION("more rows than the event names") {
    const int64_t more = seqs[2999] + 2;  // of another principal
    test::tamper(log.config.database, [more](auto& records, auto& salts) { test::blank(records, salts, {more}); });
    test::runSql(log.config.database,
                 "INSERT INTO erased VALUES (" + std::to_string(more) + ", (SELECT max(event_seq) FROM erased))");
    CHECK(log.verify().broken.find("names other records") != std::string::npos);
  }
  SECTION("a value put back") {
    test::tamper(log.config.database, [gone](auto& records, auto&) {
      for (auto& r : records) {
        if (r.seq == gone) r.text[audit::DecisionKey::kPrincipal] = "x";
      }
    });
    CHECK(log.verify().broken.find("says that its personal fields were erased, but has some") != std::string::npos);
  }
}

TEST_CASE("retention: the oldest go by age and by size; the rest verifies with a key and a saved checkpoint") {
  Log log;
  const std::string key = log.makeKey("audit.key");
  log.config.key_file = log.dir.path("audit.key");
  const bool by_age = GENERATE(true, false);
  INFO((by_age ? "by age" : "by size"));
  const int64_t now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  log.time = now - 3'600'000'000;
  {
    auto writer = log.open();
    writer->appendPolicy("d0", "old source");
    writer->appendPolicy("d1", "source");
    log.write(*writer, 6000);
    log.time = now;
    log.write(*writer, 3000);
  }
  const auto before = log.verify({.public_key = key});
  REQUIRE(before.authenticated);
  if (by_age) log.config.retention_age = base::Millis(1'800'000);
  else log.config.retention_size = 200 << 10;
  {
    auto writer = log.open();
    for (int i = 0; i < 100 && (log.events("retention").empty() || log.count() > 7000); ++i) {
      log.write(*writer, 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  const auto v = log.verify({key, before.signed_seq, before.head});
  CHECK(v.broken == "");
  CHECK(v.authenticated);
  CHECK(v.deleted_through > 0);
  CHECK(log.count() < 6000);
  if (by_age) CHECK(log.count() >= 3000);
  auto reader = audit::Reader::open(log.config.database).value();
  CHECK(reader.policySource("d1").value() == "source");  // the remaining decisions used it
  CHECK(log.failures == std::vector<std::string>{});
  SECTION("more is missing than retention recorded") {
    test::closeBlock(log.config);
    log.write(*log.open(), 5);
    test::closeBlock(log.config);
    test::runSql(log.config.database,
                 "DELETE FROM blocks WHERE last < (SELECT max(last) FROM blocks); DELETE FROM rare WHERE seq < (SELECT "
                 "first FROM blocks); DELETE FROM events WHERE seq < (SELECT first FROM blocks); DELETE FROM policies "
                 "WHERE last_seq < (SELECT first FROM blocks)");
    INFO(log.verify().broken);
    CHECK(log.verify().broken.find("does not begin with its first record") != std::string::npos);
  }
}

TEST_CASE("rotation: a full file is closed and the chain continues in a new one") {
  Log log;
  const std::string key = log.makeKey("audit.key");
  log.config.key_file = log.dir.path("audit.key");
  log.config.rotate_size = 150 << 10;
  {
    auto writer = log.open();
    writer->appendPolicy("d1", "source");
    auto reader = audit::Reader::open(log.config.database).value();  // keeps the file open during its rotation
    for (int i = 0; i < 12; ++i) {
      log.write(*writer, 1000);
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
    audit::Query query;
    CHECK(reader.decisions(query).ok());
  }
  auto files = audit::closedFiles(log.config.database);
  REQUIRE(files.size() >= 2);
  files.push_back(log.config.database);
  const auto whole = log.verify({.public_key = key}, files);
  CHECK(whole.broken == "");
  CHECK(whole.authenticated);
  CHECK(whole.records >= 24'000);
  CHECK(whole.gaps == 0);
  CHECK(whole.continues == "");
  for (const auto& file : files) CHECK(log.verify({}, {file}).broken == "");
  CHECK(log.verify({}, {files[1]}).continues != "");
  CHECK(log.verify({}, {files[0], files[2]}).broken.find("does not follow") != std::string::npos);
  int64_t all = 0;
  for (const auto& file : files) {
    log.config.database = file;
    all += log.count();
  }
  CHECK(all == 12'000);
  log.config.database = files.back();

  SECTION("a crash between closing a file and creating the next one") {
    for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(files.back() + part);
    log.write(*log.open(), 3);
    files.pop_back();
    files.push_back(log.config.database);
    const auto v = log.verify({.public_key = key}, files);
    CHECK(v.broken == "");
    CHECK(v.authenticated);
  }
  SECTION("erasing in a closed file") {
    {
      auto chain = audit::ChainWriter::open(log.config).value();
      const std::vector<int64_t> seqs = {2, 3, 4, 5, 6, 7, 8};
      REQUIRE(audit::erase(*chain, files[0], seqs, "why").ok());
      REQUIRE(audit::eraseTraces(*chain, files[0]).ok());
      REQUIRE(chain->close().ok());
    }
    const auto v = log.verify({.public_key = key}, files);
    CHECK(v.broken == "");
    CHECK(v.erased >= 2);
    CHECK(v.erased <= 4);  // some of these are outcomes
    CHECK(log.verify({}, {files[0]}).broken.find("not in the chain") != std::string::npos);
  }
}

TEST_CASE("events: their data about callers is committed to, can be erased, and its absence is detected") {
  Log log;
  {
    auto writer = log.open();
    log.write(*writer, 3);
    for (const char* who : {"spiffe://example.org/bob", "spiffe://example.org/eve"})
      writer->append(
          audit::EventRecord{log.time, "handshake failed", "in", "", 1, who, "it has expired (from 10.0.0.1)"});
    writer->append(audit::EventRecord{log.time, "start", "yett.json", "version 1"});
  }
  CHECK(log.verify().broken == "");
  const auto failed = log.events("handshake failed");
  REQUIRE(failed.size() == 2);
  CHECK((failed[0].caller == "spiffe://example.org/bob" && failed[0].detail == "" && !failed[0].erased));
  audit::Query query;
  query.principal = "spiffe://example.org/b*";
  CHECK(audit::Reader::open(log.config.database).value().callerEvents(query).value() ==
        std::vector<int64_t>{failed[0].seq});
  auto db = std::make_optional(store::Database::open(log.config.database, store::Database::Mode::kWrite).value());
  SECTION("changed") {
    REQUIRE(db->execute("UPDATE event_callers SET caller = 'x'").ok());
    CHECK(log.verify().broken.find("in table `event_callers` are not those that were recorded") != std::string::npos);
  }
  SECTION("taken away") {
    REQUIRE(db->execute("DELETE FROM event_callers").ok());
    CHECK(log.verify().broken.find("its row is missing from table `event_callers`") != std::string::npos);
  }
  SECTION("emptied without an event") {
    REQUIRE(db->execute("UPDATE event_callers SET caller = '', about = '', salt = x''").ok());
    CHECK(log.verify().broken.find("its personal fields are gone") != std::string::npos);
  }
  SECTION("added") {
    REQUIRE(db->execute("INSERT INTO event_callers SELECT seq, 'x', 'y', zeroblob(16) FROM events WHERE what = 'start'")
                .ok());
    CHECK(log.verify().broken.find("`event_callers` that matches no record") != std::string::npos);
  }
  SECTION("erased") {
    db.reset();
    auto writer = log.open();
    const std::vector<int64_t> seqs = {failed[0].seq};
    REQUIRE(writer
                ->runOnChain([&](audit::ChainWriter& chain) -> Status {
                  CHECK(TRY(audit::erase(chain, log.config.database, seqs, "ticket 8")) == 1);
                  return audit::eraseTraces(chain, log.config.database);
                })
                .ok());
    writer.reset();
    CHECK(log.verify().broken == "");
    CHECK(log.verify().erased == 1);
    const auto after = log.events("handshake failed");
    CHECK((after[0].erased && after[0].caller.empty() && after[0].about.empty() && !after[1].erased));
  }
}

TEST_CASE("audit: a log of an earlier version is refused and left unchanged") {
  Log log;
  log.write(*log.open(), 5);
  test::runSql(log.config.database, "PRAGMA user_version = 3");
  CHECK(audit::Reader::open(log.config.database).error().message.find("is an audit log of version 3") !=
        std::string::npos);
  CHECK_THROWS_WITH(log.open(), Catch::Matchers::Contains("start a new one"));
  test::runSql(log.config.database, "PRAGMA user_version = 4");
  CHECK(log.verify().broken == "");
}

TEST_CASE("policies: a changed or removed source is detected") {
  Log log;
  {
    auto writer = log.open();
    writer->appendPolicy("d1", "source");
    log.write(*writer, 3);
  }
  CHECK(log.verify().broken == "");
  auto db = store::Database::open(log.config.database, store::Database::Mode::kWrite).value();
  SECTION("changed") {
    REQUIRE(db.execute("UPDATE policies SET document = 'other'").ok());
    CHECK(log.verify().broken.find("the source of policy d1 was changed") != std::string::npos);
  }
  SECTION("taken away") {
    REQUIRE(db.execute("DELETE FROM policies").ok());
    CHECK(log.verify().broken.find("the source of policy d1 is missing") != std::string::npos);
  }
  SECTION("added") {
    REQUIRE(db.execute("INSERT INTO policies VALUES ('d2', 1, 'evil')").ok());
    CHECK(log.verify().broken.find("policy d2 is not named by any event") != std::string::npos);
  }
  SECTION("of the wrong type") {
    REQUIRE(db.execute("UPDATE policies SET document = CAST(document AS BLOB)").ok());
    CHECK(log.verify().broken.find("policy d1 has a column of the wrong type") != std::string::npos);
  }
  SECTION("moved to another event") {
    REQUIRE(db.execute("UPDATE policies SET last_seq = 1").ok());
    CHECK(log.verify().broken.find("policy d1 is not named by any event") != std::string::npos);
  }
  for (const char* change :
       {"INSERT INTO meta VALUES ('evil', 1)", "UPDATE meta SET value = 'x' WHERE name = 'lease'",
        "UPDATE meta SET value = 0 WHERE name = 'lease'", "UPDATE meta SET value = 'x' WHERE name = 'before'",
        "UPDATE meta SET value = hex(value) WHERE name = 'log_id'"}) {
    SECTION(change) {
      REQUIRE(db.execute(change).ok());
      INFO(log.verify().broken);
      CHECK((log.verify().broken.find("table `meta`") != std::string::npos ||
             log.verify().broken.find("another log than table `meta` says") != std::string::npos ||
             log.verify().broken.find("does not follow any record") != std::string::npos));
    }
  }
}

namespace {

// A log, and an attacker who can write its file but has no key.
struct Forged : Log {
  std::string key;
  Forged() {
    key = makeKey("audit.key");
    config.key_file = dir.path("audit.key");
    write(*open(), 50);
    REQUIRE(verify({.public_key = key}).authenticated);
  }
  // Appends to the chain as if no key were configured.
  void append(const std::vector<audit::EventRecord>& events) {
    audit::AuditConfig unsigned_config = config;
    unsigned_config.key_file.clear();
    auto chain = audit::ChainWriter::open(unsigned_config).value();
    REQUIRE(chain->begin(10).ok());
    for (const auto& event : events) REQUIRE(chain->add(event).ok());
    REQUIRE(chain->commit().ok());
    REQUIRE(chain->close().ok());
  }
  void sql(const std::string& text) {
    auto db = store::Database::open(config.database, store::Database::Mode::kWrite).value();
    REQUIRE(db.execute(text).ok());
  }
};

}  // namespace

TEST_CASE("forgery: events written without the key do not excuse missing data, even once signed over") {
  Forged log;
  const bool signed_over = GENERATE(false, true);
  SECTION("an erasure") {
    const std::vector<int64_t> seqs = {4, 6, 8};
    const std::string digest = audit::erasedDigest(seqs);
    test::closeBlock(log.config);
    log.append({{1, audit::kErasedEvent, "", digest, 3}});
    test::tamper(log.config.database, [&](auto& records, auto& salts) { test::blank(records, salts, seqs); });
    log.sql("INSERT INTO erased SELECT value, (SELECT max(seq) FROM events) FROM json_each('[4,6,8]')");
    if (signed_over) log.write(*log.open(), 1);
    CHECK(log.verify({.public_key = log.key}).broken.find("no checkpoint covers") != std::string::npos);
  }
  SECTION("a retention") {
    auto db = store::Database::open(log.config.database, store::Database::Mode::kRead).value();
    test::closeBlock(log.config);
    log.write(*log.open(), 5);  // and its checkpoint
    auto row = db.prepare("SELECT last, lower(hex(hash)) FROM blocks ORDER BY last LIMIT 1").value();
    REQUIRE(row.step().value());
    const std::string last(row.text(0));
    const std::string through = "through " + last + " " + std::string(row.text(1));
    row.reset();
    log.append({{1, audit::kRetentionEvent, "", through, 1}});
    log.sql("UPDATE meta SET value = (SELECT hash FROM blocks WHERE last = " + last + ") WHERE name = 'before'");
    for (const char* where : {"blocks WHERE last", "rare WHERE seq", "events WHERE seq"})
      log.sql(std::string("DELETE FROM ") + where + " <= " + last);
    if (signed_over) log.write(*log.open(), 1);
    CHECK(log.verify({.public_key = log.key}).broken.find("does not begin with its first record") != std::string::npos);
  }
  SECTION("an event names an unsigned tail that was signed over") {
    log.append({{1, "invented", "", "", 1}});
    log.write(*log.open(), 1);
    CHECK(log.verify({.public_key = log.key}).authenticated);
    REQUIRE(log.events("unsigned tail").size() == 1);
  }
}

TEST_CASE("forgery: a log without any checkpoint does not verify against a key") {
  Log log;
  const std::string key = log.makeKey("audit.key");
  log.write(*log.open(), 5);
  CHECK(log.verify().broken == "");
  CHECK(log.verify({.public_key = key}).broken.find("no checkpoint") != std::string::npos);
}

TEST_CASE("forgery: an erasure event covers only the records that it named") {
  Log log;
  {
    auto writer = log.open();
    log.write(*writer, 20);
    log.waitForCount(20);
    REQUIRE(writer
                ->runOnChain([&](audit::ChainWriter& chain) -> Status {
                  const std::vector<int64_t> seqs = {2, 4, 6, 8};
                  CHECK(TRY(audit::erase(chain, log.config.database, seqs, "why")) > 1);
                  return {};
                })
                .ok());
  }
  REQUIRE(log.verify().broken == "");
  auto db = store::Database::open(log.config.database, store::Database::Mode::kWrite).value();
  REQUIRE(db.execute("DELETE FROM erased WHERE seq = (SELECT max(seq) FROM erased)").ok());
  INFO(log.verify().broken);
  CHECK(log.verify().broken.find("names other records") != std::string::npos);
}

TEST_CASE("retention: a gap right after the last deleted block is not reported as broken") {
  Log log;
  const int64_t now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  log.time = now - 3'600'000'000;
  {
    auto writer = log.open();
    for (int i = 0; i < 2048; ++i) {
      audit::DecisionRecord r;
      r.id = "x";
      r.time_micros = log.time;
      REQUIRE(writer->append(r) != 0);
    }
  }
  {
    auto db = store::Database::open(log.config.database, store::Database::Mode::kWrite).value();
    REQUIRE(db.execute("UPDATE meta SET value = 90000 WHERE name = 'lease'").ok());  // as a crash leaves it
    std::filesystem::remove(log.config.database + ".taken");
  }
  log.time = now;
  log.write(*log.open(), 2500);  // a young block: otherwise the clock might be wrong
  log.config.retention_age = base::Millis(1'800'000);
  {
    auto writer = log.open();
    log.write(*writer, 10);
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    log.write(*writer, 10);
  }
  CHECK(log.verify().broken == "");
  CHECK(log.verify().deleted_through > 0);
  CHECK(log.count() == 2520);
}

TEST_CASE("retention: closed files are deleted as a whole, and the rest verifies") {
  Log log;
  const std::string key = log.makeKey("audit.key");
  log.config.key_file = log.dir.path("audit.key");
  log.config.rotate_size = 100 << 10;
  log.config.retention_size = 400 << 10;
  {
    auto writer = log.open();
    for (int i = 0; i < 16; ++i) {
      log.write(*writer, 1000);
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5500));
    log.write(*writer, 10);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  auto files = audit::closedFiles(log.config.database);
  CHECK(files.size() >= 1);
  CHECK(files.size() <= 4);
  files.push_back(log.config.database);
  const auto v = log.verify({.public_key = key}, files);
  CHECK(v.broken == "");
  CHECK(v.authenticated);
  CHECK(v.deleted_through > 0);
  files.erase(files.begin());
  if (files.size() > 1) CHECK(log.verify({.public_key = key}, files).continues != "");
  CHECK(log.failures == std::vector<std::string>{});
}

TEST_CASE("erase: data erased in the open block is in no filter after a restart, and the log still verifies") {
  Log log;
  {
    auto writer = log.open();
    log.write(*writer, 30, "secret-name");
    log.waitForCount(30);
    const std::vector<int64_t> seqs = {2, 4, 6, 8};
    REQUIRE(writer
                ->runOnChain([&](audit::ChainWriter& chain) -> Status {
                  CHECK(TRY(audit::erase(chain, log.config.database, seqs, "why")) > 0);
                  return {};
                })
                .ok());
  }
  log.write(*log.open(), 2500);
  CHECK(log.verify().broken == "");
  CHECK(log.verify().erased > 0);
}

TEST_CASE("keys: a log signed only from some point on verifies and reports where signing begins") {
  Log log;
  {
    auto writer = log.open();
    log.write(*writer, 30);
    log.waitForCount(30);
    const std::vector<int64_t> seqs = {2, 4};
    REQUIRE(writer
                ->runOnChain([&](audit::ChainWriter& chain) -> Status {
                  TRY(audit::erase(chain, log.config.database, seqs, "why"));
                  return {};
                })
                .ok());
  }
  const std::string key = log.makeKey("audit.key");
  log.config.key_file = log.dir.path("audit.key");
  log.write(*log.open(), 3);
  const auto v = log.verify({.public_key = key});
  CHECK(v.broken == "");
  CHECK(v.authenticated);
  CHECK(v.signing_begins > 30);
  SECTION("without its key nothing can be erased any more") {
    log.config.key_file.clear();
    auto chain = audit::ChainWriter::open(log.config).value();
    const std::vector<int64_t> seqs = {6, 8};
    CHECK_FALSE(audit::erase(*chain, log.config.database, seqs, "why").ok());
  }
}

TEST_CASE("forgery: a key change does not silently sign records that were unsigned") {
  Forged log;
  log.append({{1, "invented", "", "", 1}});
  log.makeKey("two.key");
  log.config.previous_key_file = log.config.key_file;
  log.config.key_file = log.dir.path("two.key");
  log.write(*log.open(), 1);
  CHECK(log.verify({.public_key = log.key}).authenticated);
  CHECK(log.events("unsigned tail").size() == 1);
}

TEST_CASE("forgery: a checkpoint by a stranger's key does not make a forged event signed") {
  Forged log;
  const std::vector<int64_t> seqs = {4, 6, 8};
  test::closeBlock(log.config);
  {
    audit::AuditConfig strange = log.config;
    log.makeKey("strange.key");
    strange.key_file = log.dir.path("strange.key");
    auto chain = audit::ChainWriter::open(strange).value();
    REQUIRE(chain->begin(10).ok());
    const std::string digest = audit::erasedDigest(seqs);
    REQUIRE(chain->add(audit::EventRecord{1, audit::kErasedEvent, "", digest, 3}).ok());
    REQUIRE(chain->addCheckpoint().ok());
    REQUIRE(chain->commit().ok());
    REQUIRE(chain->close().ok());
  }
  test::tamper(log.config.database, [&](auto& records, auto& salts) { test::blank(records, salts, seqs); });
  log.sql(
      "INSERT INTO erased SELECT value, (SELECT max(seq) FROM events WHERE what = 'erased') FROM json_each('[4,6,8]')");
  log.write(*log.open(), 1);
  CHECK(log.events("unsigned tail").size() == 1);
  CHECK(log.verify({.public_key = log.key}).broken.find("no checkpoint covers") != std::string::npos);
}

TEST_CASE("rotation: if a reader interferes, the chain and its lease stay correct") {
  Log log;
  log.write(*log.open(), 3);
  auto chain = audit::ChainWriter::open(log.config).value();
  struct Between {
    std::string path;
    std::optional<store::Database> reader;
    int commits = 0;
  } between{log.config.database, {}};
  // A reader starts after the first commit of rotate(), which adds its event.
  sqlite3_wal_hook(
      chain->database().handle(),
      [](void* at, sqlite3*, const char*, int) {
        auto& b = *static_cast<Between*>(at);
        if (++b.commits != 1) return SQLITE_OK;
        b.reader.emplace(store::Database::open(b.path, store::Database::Mode::kRead).value());
        REQUIRE(b.reader->execute("BEGIN; SELECT count(*) FROM meta").ok());
        return SQLITE_OK;
      },
      &between);
  const std::string closed = chain->rotate().value();
  REQUIRE(closed != "");
  CHECK(std::filesystem::file_size(closed + "-wal") > 0);  // the reader keeps it
  chain->tidy();
  between.reader.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  chain->tidy();
  CHECK_FALSE(std::filesystem::exists(closed + "-wal"));
  for (int i = 0; i < 10; ++i) {
    REQUIRE(chain->begin(1).ok());
    REQUIRE(chain->add(audit::EventRecord{1, "start", "x", "y"}).ok());
    REQUIRE(chain->commit().ok());
  }
  const std::vector<std::string> both = {closed, log.config.database};
  CHECK(log.verify({}, both).broken == "");
  const auto last = log.verify({}, both).last_seq;
  chain.reset();  // no close(): the state after a crash
  std::filesystem::remove(log.config.database + ".taken");
  log.open();
  CHECK(log.verify({}, both).broken == "");
  CHECK(log.events("gap").size() == 1);
  CHECK(log.verify({}, both).first_seq == 1);
  CHECK(log.verify({}, both).last_seq > last);
}

TEST_CASE("a start on a log that was changed while Yett was stopped fails, or reports what is unsigned") {
  Log log;
  log.config.key_file = log.dir.path("a.key");
  const std::string key = log.makeKey("a.key");
  log.write(*log.open(), 3);
  REQUIRE(log.verify({.public_key = key}).authenticated);
  const auto refused = [&] {
    base::Metrics metrics;
    auto writer = audit::Writer::open(log.config, metrics, {[](const std::string&) {}, {}});
    return writer ? std::string() : writer.error().message;
  };
  SECTION("checkpoints hidden by a column of the wrong type") {
    test::runSql(log.config.database, "UPDATE rare SET kind = CAST(kind AS BLOB) WHERE kind = 4");
    CHECK(refused().find("column of the wrong type") != std::string::npos);
    log.config.key_file = "";
    CHECK_FALSE(audit::ChainWriter::open(log.config).ok());
  }
  SECTION("a checkpoint outside all blocks, after all records") {
    test::runSql(log.config.database,
                 "INSERT INTO rare SELECT 4611686018427387904, 4, bytes FROM rare WHERE kind = 4 LIMIT 1");
    CHECK(refused().find("is damaged") != std::string::npos);
  }
  SECTION("impossible numbers") {
    test::runSql(log.config.database, "UPDATE meta SET value = 9223372036854775807 WHERE name = 'lease'");
    CHECK(refused().find("leased are invalid") != std::string::npos);
  }
  SECTION("a trigger") {
    test::runSql(log.config.database,
                 "CREATE TRIGGER t AFTER INSERT ON tail BEGIN DELETE FROM tail WHERE last < NEW.last; END");
    CHECK(refused().find("its schema was changed: trigger `t`") != std::string::npos);
  }
  SECTION("another key without a handover") {
    log.config.key_file = log.dir.path("b.key");
    const std::string other = log.makeKey("b.key");
    log.write(*log.open(), 1);
    const auto v = log.verify({.public_key = other});
    CHECK(v.broken == "");
    CHECK(v.authenticated);
    CHECK(v.key_breaks > 3);  // earlier records are not signed by this key
  }
}

TEST_CASE("retention: blocks without decisions are as old as their events, and a quiet log is pruned too") {
  Log log;
  log.config.retention_age = base::Millis(3'600'000);
  SECTION("events alone, all young") {
    auto chain = audit::ChainWriter::open(log.config).value();
    REQUIRE(chain->begin(20'000).ok());
    for (int i = 0; i < 20'000; ++i)
      REQUIRE(chain->add(audit::EventRecord{base::wallMicros(), "bad request", "in", "x"}).ok());
    REQUIRE(chain->commit().ok());
    audit::Retention retention(log.config);
    for (int i = 0; i < 9; ++i) REQUIRE(retention.step(*chain, INT64_MAX).ok());
    CHECK(log.verify().first_seq == 1);
  }
  SECTION("a few old decisions in the open block") {
    log.time = base::wallMicros() - int64_t{5} * 3'600'000'000;
    {
      auto writer = log.open();
      log.write(*writer, 20, "eve");
      writer->append(audit::EventRecord{base::wallMicros(), "stop", "x", "y", 1});  // else the clock might be wrong
    }
    auto chain = audit::ChainWriter::open(log.config).value();
    for (int i = 0; i < 3; ++i) {
      audit::Retention retention(log.config);  // the first step runs at once
      REQUIRE(retention.step(*chain, INT64_MAX).ok());
    }
    audit::Query eve;
    eve.principal = "spiffe://example.org/eve";
    CHECK(audit::Reader::open(log.config.database).value().decisions(eve).value().empty());
    CHECK(log.verify().broken == "");
  }
}

TEST_CASE("rotation: files are ordered by number, however many digits it has") {
  const test::TempDir dir;
  const std::string live = dir.path("yett.db");
  const std::vector<int64_t> numbers = {7, 999'999'999'999, 1'000'000'000'035, 12'000'000'000'000};
  std::vector<std::string> names;
  for (const int64_t number : numbers) {
    names.push_back(audit::closedName(live, number));
    std::ofstream(names.back()) << "x";
    CHECK(audit::isClosedName(names.back()));
  }
  CHECK(audit::closedFiles(live) == names);
}

TEST_CASE("rotation: an outcome recorded after its decision's file was closed is found in the next file") {
  Log log;
  auto chain = audit::ChainWriter::open(log.config).value();
  const auto put = [&](audit::Kind kind, const audit::Encoded& e, int64_t decision) {
    REQUIRE(chain->begin(1).ok());
    const auto seq = chain->add({.kind = kind,
                                 .decision_seq = decision,
                                 .fields = e.fields,
                                 .entries = e.entries,
                                 .personal = e.personal,
                                 .personal_entries = e.personal_entries});
    REQUIRE(chain->commit().ok());
    return seq.value();
  };
  audit::Encoded encoded;
  audit::DecisionRecord decision;
  decision.id = "straddles";
  decision.time_micros = 1;
  encode(decision, encoded);
  const int64_t seq = put(audit::Kind::kDecision, encoded, 0);
  const std::string closed = chain->rotate().value();
  REQUIRE(closed != "");
  audit::OutcomeRecord outcome;
  outcome.status = 207;
  encode(outcome, encoded);
  put(audit::Kind::kOutcome, encoded, seq);
  auto row = audit::Reader::open(closed).value().decisions({}).value().at(0);
  CHECK_FALSE(row.ended);
  audit::LaterOutcomes later({closed, log.config.database});
  REQUIRE(later.complete(0, row).ok());
  CHECK((row.ended && row.status == 207));
}
