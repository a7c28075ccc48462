#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "audit/cbor.h"
#include "audit/reader.h"
#include "audit/verifier.h"
#include "audit/writer.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

audit::DecisionRecord decision(std::string_view id) {
  audit::DecisionRecord r;
  r.id = id;
  r.time_micros = 1'800'000'000'000'000;
  r.listener = "inbound";
  r.principal = "spiffe://example.org/a";
  r.method = "GET";
  r.path = "/orders/42";
  r.allow = true;
  r.policy = "orders";
  r.rule = "reads";
  return r;
}

void writeSome(const std::string& path, int count) {
  base::Metrics metrics;
  auto writer = audit::Writer::open({path, false, base::Millis(1), 1000}, metrics, {[](const std::string&) {}, {}});
  REQUIRE(writer.ok());
  for (int i = 0; i < count; ++i) {
    const std::string id = "id-" + std::to_string(i);
    const uint64_t ticket = writer.value()->append(decision(id));
    REQUIRE(ticket != 0);
    writer.value()->append(ticket, audit::OutcomeRecord{200, "127.0.0.1:9000", 0, 5, 100, "complete"});
  }
}

std::string brokenness(const std::string& path) {
  const auto v = audit::verify({path}, {}, 1, [](int64_t) {});
  REQUIRE(v.ok());
  return v.value().broken;
}

void sql(const std::string& path, const std::string& text) {
  auto db = store::Database::open(path, store::Database::Mode::kWrite);
  REQUIRE(db.ok());
  REQUIRE(db.value().execute(text).ok());
}

}  // namespace

TEST_CASE("cbor: deterministic form, and nothing else is read") {
  std::string out;
  audit::CborWriter w(out);
  w.map(2);
  w.integer(0);
  w.integer(-500);
  w.integer(24);
  w.text("a\xff");
  CHECK(out == std::string("\xa2\x00\x39\x01\xf3\x18\x18\x42"
                           "a\xff",
                           10));
  audit::CborReader longer(std::string_view("\x18\x05", 2));  // 5 in two bytes
  longer.integer();
  CHECK_FALSE(longer.ok());
  audit::CborReader wide(std::string_view("\x19\x00\x18", 3));
  wide.integer();
  CHECK_FALSE(wide.ok());
}

TEST_CASE("audit: what is appended can be read, joined with its outcome, and verifies") {
  const test::TempDir dir;
  const std::string path = dir.path("yett.db");
  writeSome(path, 50);
  auto reader = audit::Reader::open(path);
  REQUIRE(reader.ok());
  audit::Query query;
  query.limit = 1000;
  const auto rows = reader.value().decisions(query).value();
  REQUIRE(rows.size() == 50);
  CHECK(rows[7].id == "id-7");
  CHECK(rows[7].ended);
  CHECK(rows[7].status == 200);
  query.principal = "spiffe://example.org/*";
  query.rule = "reads";
  query.effect = "allow";
  query.limit = 3;
  CHECK(reader.value().decisions(query).value().size() == 3);
  query.effect = "deny";
  CHECK(reader.value().decisions(query).value().empty());
  const auto v = audit::verify({path}, {}, 1, [](int64_t) {}).value();
  CHECK(v.broken.empty());
  CHECK(v.links == 101);
  CHECK(v.gaps == 0);
}

TEST_CASE("audit: a second start goes on with the same chain") {
  const test::TempDir dir;
  writeSome(dir.path("yett.db"), 3);
  writeSome(dir.path("yett.db"), 3);
  const auto v = audit::verify({dir.path("yett.db")}, {}, 1, [](int64_t) {}).value();
  CHECK(v.broken.empty());
  CHECK(v.links == 13);
  CHECK(v.gaps == 0);
}

TEST_CASE("audit: every kind of tampering is found, at its record") {
  struct Case {
    const char* what;
    const char* sql;
    const char* found;
  };
  const Case cases[] = {
      {"content of a link", "UPDATE links SET bytes = zeroblob(20) WHERE seq = 6", "record 6: its content was changed"},
      {"a removed link", "DELETE FROM links WHERE seq = 6", "record 7: it does not follow"},
      {"a removed record, everywhere", "DELETE FROM links WHERE seq = 6; DELETE FROM decisions WHERE seq = 6",
       "record 7: it does not follow"},
      {"a removed first link", "DELETE FROM links WHERE seq = 1", "record 2: the log does not begin"},
      {"swapped links",
       "UPDATE links SET seq = -1 WHERE seq = 4; UPDATE links SET seq = 4 WHERE seq = 6; UPDATE links SET seq = 6 "
       "WHERE seq = -1",
       "record 4: it does not follow"},
      {"an inserted link", "INSERT INTO links SELECT 1000, kind, prev, bytes, hash FROM links WHERE seq = 4",
       "record 1000: it does not follow"},
      {"a hash", "UPDATE links SET hash = zeroblob(32) WHERE seq = 6", "record 6: its content was changed"},
      {"a row of the plain table", "UPDATE decisions SET effect = 'deny' WHERE seq = 4", "record 4: column `effect`"},
      {"a removed row", "DELETE FROM decisions WHERE seq = 4", "record 4: its row is missing"},
      {"an inserted row",
       "INSERT INTO decisions SELECT 999, id, time, listener, route, principal, method, host, path, raw_target, "
       "effect, policy, rule, reason, errors, engine, policy_digest, "
       "cached, eval_ns, reads, would_deny, protocol, source, salt FROM decisions WHERE seq = 4",
       "record 999: a row in table `decisions`"},
      {"a personal field", "UPDATE decisions SET principal = 'spiffe://example.org/b' WHERE seq = 4",
       "record 4: its personal fields in table `decisions` are not those"},
      {"a salt", "UPDATE decisions SET salt = zeroblob(16) WHERE seq = 4", "record 4: its personal fields in table"},
      {"personal fields, gone without an event",
       "UPDATE decisions SET principal='', host='', path='', raw_target='', reason='', errors='', reads='', source='', "
       "salt = x'' WHERE seq = 4",
       "record 4: its personal fields are gone, and no event"},
      {"text as bytes, which no query finds", "UPDATE decisions SET effect = CAST(effect AS BLOB) WHERE seq = 4",
       "record 4: column `effect` of table `decisions` is of another type"},
      {"a time as text", "UPDATE decisions SET time = time || 'x' WHERE seq = 4", "record 4: column `time`"},
      {"an outcome as text", "UPDATE outcomes SET result = CAST(result AS BLOB) WHERE decision_seq = 4",
       "column `result` of table `outcomes` is of another type"},
      {"an index of one's own", "CREATE INDEX mine ON decisions (effect)", "index `mine` is not one that yett makes"},
      {"a view in the place of a table",
       "ALTER TABLE decisions RENAME TO hidden; CREATE VIEW decisions AS SELECT * FROM hidden WHERE effect = 'allow'",
       "its schema was changed"},
      {"an inserted outcome",
       "INSERT INTO outcomes SELECT 9999, 9999, status, upstream, bytes_in, bytes_out, "
       "duration_us, result, shadow FROM outcomes WHERE decision_seq = 4",
       "table `outcomes` has rows"},
      {"an outcome", "UPDATE outcomes SET status = 500 WHERE decision_seq = 4", "column `status`"},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    const test::TempDir dir;
    const std::string path = dir.path("yett.db");
    writeSome(path, 10);
    REQUIRE(brokenness(path).empty());
    sql(path, c.sql);
    INFO(brokenness(path));
    CHECK(brokenness(path).find(c.found) != std::string::npos);
  }
}

TEST_CASE("audit: numbers that a crash lost are a visible gap, and the chain is whole") {
  const test::TempDir dir;
  const std::string path = dir.path("yett.db");
  writeSome(path, 5);
  sql(path, "UPDATE meta SET value = 5000 WHERE name = 'lease'");  // as a crash leaves it
  writeSome(path, 5);
  const auto v = audit::verify({path}, {}, 1, [](int64_t) {}).value();
  CHECK(v.broken.empty());
  CHECK(v.gaps == 1);
  CHECK(v.last_seq == 5011);  // one of them says so
}

TEST_CASE("audit: a second process on the same file is refused, and the file is for its owner alone") {
  const test::TempDir dir;
  base::Metrics metrics;
  const audit::AuditConfig config{dir.path("yett.db"), false, base::Millis(1), 1000};
  auto first = audit::Writer::open(config, metrics, {[](const std::string&) {}, {}});
  REQUIRE(first.ok());
  auto second = audit::Writer::open(config, metrics, {[](const std::string&) {}, {}});
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message.find("another process writes") != std::string::npos);
  CHECK((std::filesystem::status(config.database).permissions() & std::filesystem::perms(077)) ==
        std::filesystem::perms::none);
}

TEST_CASE("audit: a full queue takes no decision") {
  base::BatchQueue queue({100, 3});
  CHECK(queue.push("a"));
  CHECK(queue.push("b"));
  CHECK(queue.push("c"));
  CHECK_FALSE(queue.push("d"));
  CHECK(queue.refused() == 1);
  std::string batch;
  CHECK(queue.take(batch, std::chrono::milliseconds(0), std::chrono::milliseconds(0)) == 3);
  CHECK(batch == "abc");
  CHECK(queue.push("e"));
}

TEST_CASE("audit: the consumer sleeps until enough is queued, or its time has come") {
  using std::chrono::milliseconds;
  using Clock = base::BatchQueue::Clock;
  base::BatchQueue queue({1000, 100});
  std::string batch;
  CHECK_FALSE(queue.await(milliseconds(1)));
  CHECK(queue.push("a"));
  CHECK(queue.await(milliseconds(60'000)));
  CHECK(queue.take(batch, Clock::now() + milliseconds(2), 3) == 1);
  CHECK(queue.take(batch, Clock::now() + milliseconds(2), 3) == 0);
  std::thread producer([&] {
    for (int i = 0; i < 3; ++i) queue.push("b");
  });
  CHECK(queue.take(batch, Clock::now() + milliseconds(60'000), 3) == 3);
  CHECK(batch == "bbb");
  producer.join();
  std::thread waker([&] { queue.wake(); });
  CHECK(queue.take(batch, Clock::now() + milliseconds(60'000), 3) == 0);
  waker.join();
  CHECK(queue.push("c"));
  queue.close();
  CHECK(queue.take(batch, Clock::now() + milliseconds(60'000), 3) == 1);
}

// One whose batches would take a minute.
static std::unique_ptr<audit::Writer> patientWriter(const std::string& path, size_t batch_records,
                                                    base::Metrics& metrics) {
  audit::AuditConfig config;
  config.database = path;
  config.batch_interval = base::Millis(60'000);
  config.batch_records = batch_records;
  return audit::Writer::open(config, metrics, {[](const std::string&) {}, {}}).value();
}

TEST_CASE("audit: what is asked of the writer while a batch gathers does not wait for the next") {
  const test::TempDir dir;
  base::Metrics metrics;
  auto writer = patientWriter(dir.path("yett.db"), 20000, metrics);
  for (int i = 0; i < 500; ++i) writer->append(decision("x"));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // it is in the midst of them
  const auto began = std::chrono::steady_clock::now();
  CHECK(writer->runOnChain([](audit::ChainWriter&) { return Status(); }).ok());
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(700));
  CHECK(audit::Reader::open(dir.path("yett.db")).value().range().value().second > 1);
}

TEST_CASE("audit: batch_records ends a batch, however few they are") {
  const test::TempDir dir;
  base::Metrics metrics;
  auto writer = patientWriter(dir.path("yett.db"), 10, metrics);
  for (int i = 0; i < 10; ++i) writer->append(decision("x"));
  int64_t last = 0;
  for (int i = 0; i < 5000 && last == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    last = audit::Reader::open(dir.path("yett.db")).value().range().value().second;
  }
  CHECK(last == 11);
}

TEST_CASE("audit: while another holds the database, decisions are refused; nothing that was taken is lost") {
  const test::TempDir dir;
  const std::string path = dir.path("yett.db");
  base::Metrics metrics;
  auto writer = audit::Writer::open({path, false, base::Millis(1), 1000}, metrics, {[](const std::string&) {}, {}});
  REQUIRE(writer.ok());
  int taken = 0;
  {
    auto reader = store::Database::open(path, store::Database::Mode::kRead);  // no harm
    REQUIRE(reader.ok());
    for (int i = 0; i < 100; ++i) taken += writer.value()->append(decision("x")) != 0 ? 1 : 0;
  }
  writer.value().reset();
  CHECK(taken == 100);
  CHECK(audit::verify({path}, {}, 1, [](int64_t) {}).value().links == 101);
}
