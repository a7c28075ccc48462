#include "audit/sql_tables.h"

#include <catch2/catch.hpp>
#include <random>

#include "audit/writer.h"
#include "support/tamper.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

std::string rowsOf(store::Database& db, const std::string& sql) {
  auto row = db.prepare(sql);
  INFO(sql << (row ? "" : ": " + row.error().message));
  REQUIRE(row.ok());
  std::string out;
  for (;;) {
    auto more = row.value().step();
    INFO((more ? "" : more.error().message));
    REQUIRE(more.ok());
    if (!more.value()) return out;
    for (int i = 0; i < row.value().columns(); ++i) out += std::string(row.value().text(i)) + "|";
    out += "\n";
  }
}

// Decisions in three blocks, with outcomes in the same block, in a later block, or missing.
struct SqlLog {
  test::TempDir dir;
  std::string path = dir.path("yett.db");
  std::mt19937_64 random{1};

  SqlLog() {
    std::vector<uint64_t> late;
    for (int part = 0; part < 3; ++part) {
      base::Metrics metrics;
      {
        auto writer =
            audit::Writer::open({path, false, base::Millis(1), 100'000}, metrics, {[](const std::string&) {}, {}});
        for (int i = 0; i < 400; ++i) one(*writer.value(), part * 1000 + i);
        writer.value()->append(audit::EventRecord{1, "start", "x", "y"});
      }
      if (part < 2) test::closeBlock(path);
    }
  }
  void one(audit::Writer& writer, int i) {
    audit::DecisionRecord r;
    const std::string id = "id-" + std::to_string(i);
    const std::string principal = "spiffe://example.org/" + std::to_string(random() % 5);
    const std::string path_text = "/p/" + std::to_string(random() % 50);
    const std::string raw = random() % 3 == 0 ? path_text + "?a" : path_text;
    r.id = id;
    r.time_micros = 1'800'000'000'000'000 + i * 1000;
    r.principal = principal;
    r.path = path_text;
    r.raw_target = raw;
    r.method = random() % 2 == 0 ? "GET" : "POST";
    r.allow = random() % 4 != 0;
    r.rule = "r";
    r.eval_nanos = static_cast<int64_t>(random() % 1000);
    const uint64_t ticket = writer.append(r);
    REQUIRE(ticket != 0);
    if (random() % 5 != 0)
      writer.append(ticket, audit::OutcomeRecord{static_cast<int>(200 + random() % 3), "up", 1, 2, 3, "complete"});
  }
};

}  // namespace

TEST_CASE("sql tables: every query gives the same result as on ordinary tables with the same rows") {
  SqlLog log;
  auto db = store::Database::open(log.path, store::Database::Mode::kRead).value();
  REQUIRE(audit::addSqlTables(db).ok());
  // The same rows as ordinary tables.
  auto plain = store::Database::open(log.dir.path("plain.db"), store::Database::Mode::kWrite).value();
  REQUIRE(plain
              .execute("CREATE TABLE decisions(seq, id, time, listener, route, principal, method, host, path, "
                       "raw_target, effect, policy, rule, reason, errors, engine, policy_digest, cached, eval_ns, "
                       "reads, would_deny, protocol, source, erased); CREATE TABLE outcomes(decision_seq, seq, status, "
                       "upstream, bytes_in, bytes_out, duration_us, result, shadow)")
              .ok());
  for (const char* table : {"decisions", "outcomes"}) {
    auto row = db.prepare(std::string("SELECT * FROM ") + table).value();
    std::string places;
    for (int i = 0; i < row.columns(); ++i) places += i == 0 ? "?" : ",?";
    auto insert = plain.prepare(std::string("INSERT INTO ") + table + " VALUES (" + places + ")").value();
    while (row.step().value()) {
      for (int i = 0; i < row.columns(); ++i) {
        if (row.type(i) == store::Statement::Type::kInteger) insert.bind(i + 1, row.integer(i));
        else insert.bind(i + 1, row.text(i));
      }
      REQUIRE(insert.run().ok());
    }
  }
  CHECK(rowsOf(db, "SELECT count(*), count(DISTINCT seq) FROM decisions") == "1200|1200|\n");
  const std::string some = std::to_string(600 + log.random() % 100);
  for (const std::string& sql : {
           std::string("SELECT * FROM decisions ORDER BY seq"),
           std::string("SELECT * FROM outcomes ORDER BY seq"),
           std::string("SELECT seq, path FROM decisions ORDER BY seq DESC LIMIT 7"),
           std::string("SELECT effect, count(*), sum(eval_ns) FROM decisions GROUP BY effect ORDER BY effect"),
           std::string(
               "SELECT * FROM decisions WHERE principal = 'spiffe://example.org/3' AND path = '/p/7' ORDER BY seq"),
           std::string("SELECT * FROM decisions WHERE raw_target = '/p/7?a' ORDER BY seq"),
           std::string(
               "SELECT seq FROM decisions WHERE effect = 'deny' AND seq > 500 AND seq <= 900 ORDER BY seq DESC"),
           std::string(
               "SELECT seq FROM decisions WHERE time >= 1800000001100000 AND time < 1800000001200000 ORDER BY seq"),
           std::string("SELECT seq FROM decisions WHERE seq = ") + some,
           std::string("SELECT seq FROM decisions WHERE rowid = ") + some,
           std::string("SELECT seq FROM decisions WHERE id = 'id-2010'"),
           std::string("SELECT seq FROM decisions WHERE effect = 3 OR eval_ns < 20 ORDER BY seq"),
           std::string("SELECT seq FROM decisions WHERE seq > 'a' OR seq = 5.5"),
           std::string("SELECT seq FROM decisions WHERE time = 1800000001100000.0"),
           std::string("SELECT d.seq, o.seq, o.status FROM decisions d LEFT JOIN outcomes o ON o.decision_seq = d.seq "
                       "ORDER BY d.seq"),
           std::string("SELECT o.status, count(*) FROM decisions d JOIN outcomes o ON o.decision_seq = d.seq WHERE "
                       "d.method = 'GET' GROUP BY o.status ORDER BY 1"),
           std::string("SELECT * FROM outcomes WHERE decision_seq IN (SELECT seq FROM decisions WHERE path = '/p/3') "
                       "ORDER BY seq DESC"),
           std::string("SELECT count(*) FROM decisions a, decisions b WHERE a.seq = b.seq - 2"),
       }) {
    INFO(sql);
    if (sql.find("rowid") == std::string::npos) CHECK(rowsOf(db, sql) == rowsOf(plain, sql));
    else CHECK(rowsOf(db, sql) == rowsOf(db, "SELECT seq FROM decisions WHERE seq = " + some));
  }
}

TEST_CASE("sql tables: only reading statements are allowed, and only for a limited time") {
  SqlLog log;
  auto db = store::Database::open(log.path, store::Database::Mode::kRead).value();
  REQUIRE(audit::addSqlTables(db).ok());
  db.onlyRead(std::chrono::milliseconds(300));
  for (const char* sql : {"DELETE FROM events", "ATTACH 'x.db' AS x", "PRAGMA user_version = 9", "CREATE TABLE t(a)",
                          "CREATE VIRTUAL TABLE t USING decisions", "SELECT load_extension('x')", "DROP TABLE events",
                          "VACUUM INTO 'copy.db'", "PRAGMA table_info(events)", "UPDATE decisions SET effect = 'x'"}) {
    INFO(sql);
    auto row = db.prepare(sql);
    CHECK((!row.ok() || !row.value().step().ok()));
  }
  auto endless =
      db.prepare("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n").value();
  const auto began = std::chrono::steady_clock::now();
  CHECK_FALSE(endless.step().ok());
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
}
