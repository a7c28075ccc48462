#include "memory/remembered_db.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "lua/engine.h"
#include "policy/policy_set.h"
#include "support/random_policy.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

using Rows = std::map<std::string, std::string>;

struct Fixture {
  test::TempDir dir;
  base::Metrics metrics;
  memory::CacheConfig config;
  Fixture() {
    dir.write("cache.key", std::string(64, 'k'));
    std::filesystem::permissions(dir.path("cache.key"), std::filesystem::perms(0600));
    config.database = dir.path("cache.db");
    config.key_file = dir.path("cache.key");
  }
  std::unique_ptr<memory::RememberedDb> open() {
    auto out = memory::RememberedDb::open(config, metrics);
    INFO((out.ok() ? "" : out.error().message));
    REQUIRE(out.ok());
    return std::move(out).value();
  }
  Rows load(const std::string& digest, const std::string& engine = "main") {
    Rows out;
    const auto db = open();
    db->storeFor(digest)->load(engine,
                               [&](std::string_view key, std::string_view value) { out[std::string(key)] = value; });
    return out;
  }
  void sql(const std::string& text) {
    auto db = store::Database::open(config.database, store::Database::Mode::kWrite);
    const auto done = db.value().execute(text);
    INFO((done.ok() ? "" : done.error().message));
    REQUIRE(done.ok());
  }
};

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::shared_ptr<const policy::PolicySet>& set,
                                                     memory::RememberedDb& db) {
  policy::EvaluatorOptions options;
  options.remembered_entries = 100;
  options.remembered = db.storeFor(set->digest());
  return policy::PolicyEvaluator::create(set, options).value();
}

}  // namespace

TEST_CASE("remembered database: rows are restored only for the same policy, engine and key") {
  Fixture f;
  {
    const auto db = f.open();
    const auto store = db->storeFor("digest");
    for (int i = 0; i < 100; ++i) store->keep("main", "key" + std::to_string(i), "value" + std::to_string(i));
    store->keep("other", "key", "value");
  }
  CHECK(f.load("digest").size() == 100);
  CHECK(f.load("digest")["key7"] == "value7");
  CHECK(f.load("digest", "other").size() == 1);
  CHECK(f.load("another digest").empty());
  f.open()->dropOthers("digest");
  CHECK(f.load("digest").size() == 100);
  f.open()->dropOthers("another digest");
  CHECK(f.load("digest").empty());
}

TEST_CASE("remembered database: what is masked in the log is never stored") {
  for (const bool masked : {false, true}) {
    Fixture f;
    policy::PolicySource source;
    source.files["p.lua"] =
        "policy 'p' { allow 'a' { principal = anyone, when = function(r) return r.header['x-region'] == 'mars' end } }";
    std::vector<std::string> problems;
    std::shared_ptr<const policy::RuleSet> rules = lua::LuaRuleSet::load(std::move(source), problems);
    REQUIRE(rules != nullptr);
    const auto set = std::make_shared<const policy::PolicySet>(
        std::vector<policy::LoadedEngine>{{"main", false, rules}}, policy::Budget{});
    const policy::Recording recording(
        {false, masked ? std::vector<std::string>{"header.x-region"} : std::vector<std::string>{}}, "");
    {
      const auto db = f.open();
      policy::EvaluatorOptions options;
      options.remembered_entries = 100;
      options.remembered = db->storeFor(set->digest());
      options.recording = &recording;
      const auto evaluator = policy::PolicyEvaluator::create(set, options).value();
      const identity::Principal nobody;
      const std::vector<policy::Header> headers = {{"x-region", "mars"}};
      policy::CheckRequest request;
      request.path = "/";
      request.method = "GET";
      request.principal = &nobody;
      request.headers = headers;
      policy::AttributeReader reader;
      policy::Decision decision;
      evaluator->decide(request, reader, decision);
      CHECK(decision.allow);
    }
    CHECK(f.load(set->digest()).size() == (masked ? 0 : 1));
  }
}

TEST_CASE("remembered database: a row that was inserted, changed, moved or made with another key is ignored") {
  for (const char* attack : {
           "UPDATE remembered SET value = CAST('allow!' AS BLOB) WHERE key = CAST('a' AS BLOB)",
           "UPDATE remembered SET key = CAST('c' AS BLOB) WHERE key = CAST('a' AS BLOB)",
           "UPDATE remembered SET value = (SELECT value FROM remembered WHERE key = CAST('b' AS BLOB)), proof = "
           "(SELECT "
           "proof FROM remembered WHERE key = CAST('b' AS BLOB)) WHERE key = CAST('a' AS BLOB)",
           "UPDATE remembered SET engine = 'veto' WHERE key = CAST('a' AS BLOB)",
           "UPDATE remembered SET proof = zeroblob(32) WHERE key = CAST('a' AS BLOB)",
           "UPDATE remembered SET proof = x'' WHERE key = CAST('a' AS BLOB)",
           "INSERT INTO remembered SELECT context, engine, CAST('d' AS BLOB), value, proof FROM remembered WHERE key = "
           "CAST('a' AS BLOB); DELETE FROM remembered WHERE key = CAST('a' AS BLOB)",
       }) {
    INFO(attack);
    Fixture f;
    {
      const auto db = f.open();
      const auto store = db->storeFor("digest");
      store->keep("main", "a", "deny");
      store->keep("main", "b", "allow!");
    }
    f.sql(attack);
    const Rows rows = f.load("digest");
    CHECK(rows.size() == 1);
    CHECK(rows.count("b") == 1);
    CHECK(f.load("digest", "veto").empty());
  }
  Fixture f;
  f.open()->storeFor("digest")->keep("main", "a", "value");
  CHECK(f.load("digest").size() == 1);
  f.dir.write("cache.key", std::string(64, 'z'));
  std::filesystem::permissions(f.dir.path("cache.key"), std::filesystem::perms(0600));
  CHECK(f.load("digest").empty());
  CHECK(f.metrics.text().find("yett_remembered_rows_refused_total 1") != std::string::npos);
}

TEST_CASE("remembered database: decisions survive a restart, and a forged allow is ignored") {
  Fixture f;
  policy::PolicySource source;
  source.files["p.lua"] =
      "policy 'p' { allow 'a' { principal = anyone, when = function(r) return r.path == '/open' end } }";
  source.digest = "x";
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(source, problems);
  REQUIRE(rules != nullptr);
  const auto set = std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, rules}},
                                                             policy::Budget{});
  const auto ask = [&](policy::PolicyEvaluator& evaluator, const std::string& path) {
    test::RequestText text;
    text.method = "GET";
    text.path = path;
    text.host = "h";
    text.source = "127.0.0.1";
    const test::OwnedRequest request(text);
    policy::AttributeReader reader;
    policy::Decision out;
    evaluator.decide(request.check, reader, out);
    return out;
  };
  {
    const auto db = f.open();
    const auto evaluator = evaluatorOf(set, *db);
    CHECK(ask(*evaluator, "/open").allow);
    CHECK_FALSE(ask(*evaluator, "/shut").allow);
  }
  {
    const auto db = f.open();
    const auto evaluator = evaluatorOf(set, *db);
    CHECK(ask(*evaluator, "/open").cached);
    CHECK(ask(*evaluator, "/open").allow);
    CHECK(ask(*evaluator, "/shut").cached);
    CHECK_FALSE(ask(*evaluator, "/shut").allow);
  }
  // The denied request's row gets the answer and the proof of the allowed one.
  f.sql("UPDATE remembered SET value = (SELECT value FROM remembered WHERE instr(key, CAST('/open' AS BLOB)) > 0)");
  const auto db = f.open();
  const auto evaluator = evaluatorOf(set, *db);
  CHECK_FALSE(ask(*evaluator, "/shut").allow);
  CHECK(ask(*evaluator, "/open").allow);
}

TEST_CASE("remembered database: a foreign file is refused") {
  Fixture f;
  f.dir.write("cache.db", "this is a letter to my mother, and long enough to look like something");
  CHECK_FALSE(memory::RememberedDb::open(f.config, f.metrics).ok());
  CHECK(std::filesystem::file_size(f.config.database) > 60);
  std::filesystem::remove(f.config.database);
  f.sql("CREATE TABLE mine (x)");
  const auto other = memory::RememberedDb::open(f.config, f.metrics);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().message.find("something else") != std::string::npos);
  f.config.key_file = f.dir.path("short.key");
  f.dir.write("short.key", "short");
  std::filesystem::permissions(f.dir.path("short.key"), std::filesystem::perms(0600));
  CHECK(memory::RememberedDb::open(f.config, f.metrics).error().message.find("at least 32 bytes") != std::string::npos);
}
