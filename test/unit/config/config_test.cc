#include "config/config.h"

#include <catch2/catch.hpp>

#include "base/units.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

const char* const kGood = R"({
  // comments are fine
  "identity": { "svid": { "certificate": "a.pem", "private_key": "a.key" }, "trust_bundles": { "example.org": "b.pem" } },
  "listeners": [{ "name": "inbound", "address": "127.0.0.1:0", "tls": {}, "routes": [ { "path": "/**", "cluster": "app" } ] }],
  "clusters": [ { "name": "app", "endpoints": ["127.0.0.1:9000"] } ],
  "policy": { "engines": [ { "name": "main", "type": "lua", "path": "rules" } ], "budget": { "memory": "2MiB" } },
  "audit": { "database": "yett.db" }
})";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string problemsOf(const std::string& text) {
  const test::TempDir dir;
  dir.write("yett.json", text);
  config::Problems problems("yett.json");
  base::FileTrust trust;
  config::readConfig(dir.path("yett.json"), problems, trust);
  std::string all;
  for (const auto& p : problems.texts()) all += p + "\n";
  return all;
}

}  // namespace

TEST_CASE("config: a valid file, with paths relative to its folder") {
  const test::TempDir dir;
  dir.write("yett.json", kGood);
  config::Problems problems("yett.json");
  base::FileTrust trust;
  const auto config = config::readConfig(dir.path("yett.json"), problems, trust);
  CHECK_FALSE(problems.any());
  CHECK(config.audit.database == dir.path("yett.db"));
  CHECK(config.budget.memory_bytes == 2 << 20);
  CHECK(config.listeners[0].client_certificate == net::ClientCertificate::kRequired);
}

TEST_CASE("config: each mistake is reported with its line, its JSON pointer and what to do") {
  struct Case {
    const char* from;
    const char* to;
    const char* wanted;
  };
  const Case cases[] = {
      {"\"address\"", "\"adress\"", "yett.json:4: /listeners/0/adress: unknown key, did you mean `address`?"},
      {"\"address\"", "\"adress\"", "/listeners/0: `address` is missing"},
      {"\"2MiB\"", "\"2MB\"", "/policy/budget/memory: `2MB` is not a size"},
      {"\"2MiB\"", "2", "is a number, must be a string with a size"},
      {"\"cluster\": \"app\"", "\"cluster\": \"ap\"", "`ap` is not the name of a cluster, did you mean `app`?"},
      {"\"tls\": {}", "\"tls\": {\"client_certificate\": \"maybe\"}",
       "is `maybe`, must be `required` or `optional` or `none`"},
      {"\"tls\": {}, ", "", "either `tls` or `\"plaintext\": true`"},
      {"\"type\": \"lua\"", "\"type\": \"rego\"", "is `rego`, must be `lua`"},
      {"\"path\": \"/**\"", "\"path\": \"orders\"", "must begin with `/`"},
      {"{ \"database\": \"yett.db\" }", "{ }", "`database` is missing"},
      {"\"audit\"", "\"audits\"", "`audit` is missing"},
      {"\"example.org\"", "\"Example.org\"", "is not a trust domain"},
      {"\"endpoints\": [\"127.0.0.1:9000\"]", "\"endpoints\": []", "`endpoints` is missing or empty"},
      {"\"name\": \"app\",", "\"name\": \"app\", \"name\": \"b\",", "the key `name` appears twice"},
  };
  for (const auto& c : cases) {
    INFO(c.to);
    const std::string all = problemsOf(replaced(kGood, c.from, c.to));
    INFO(all);
    CHECK(all.find(c.wanted) != std::string::npos);
  }
}

TEST_CASE("config: all problems at once") {
  std::string text = replaced(kGood, "\"address\"", "\"adress\"");
  text = replaced(text, "\"2MiB\"", "\"x\"");
  const std::string all = problemsOf(text);
  CHECK(all.find("adress") != std::string::npos);
  CHECK(all.find("is not a size") != std::string::npos);
}

TEST_CASE("config: a sink of unknown type is one problem") {
  for (const char* type : {"\"type\": \"kafak\", ", ""}) {
    const std::string sink = std::string("{ \"name\": \"out\", ") + type + "\"brokers\": \"a:1\", \"topic\": \"t\" }";
    const std::string all = problemsOf(
        replaced(kGood, "{ \"database\": \"yett.db\" }", "{ \"database\": \"yett.db\", \"sinks\": [" + sink + "] }"));
    INFO(all);
    CHECK(std::count(all.begin(), all.end(), '\n') <= 1);
    CHECK(all.find("`file`") != std::string::npos);
    CHECK(all.find("`path`") == std::string::npos);
  }
}

TEST_CASE("units: durations and sizes need a unit and must not overflow") {
  CHECK(base::parseDuration("250ms").value().count() == 250);
  CHECK(base::parseDuration("2h").value().count() == 7'200'000);
  CHECK(base::parseSize("64KiB").value() == 65536);
  for (const char* bad : {"", "5", "ms", "-5s", "1.5s", "5 s", "99999999999999999999s", "5S"})
    CHECK_FALSE(base::parseDuration(bad).ok());
  for (const char* bad : {"64KB", "64", "KiB", "64 KiB", "99999999999GiB"}) CHECK_FALSE(base::parseSize(bad).ok());
}
