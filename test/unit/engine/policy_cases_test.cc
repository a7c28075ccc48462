#include "support/policy_cases.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "base/file.h"
#include "base/json.h"
#include "lua/engine.h"
#include "policy/policy_set.h"
#include "support/random_policy.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

Result<policy::PolicySource> readSource(const test::TempDir& dir) {
  base::FileTrust trust;
  return policy::PolicySource::read(dir.path("rules"), trust);
}

std::shared_ptr<const lua::LuaRuleSet> load(const test::PolicyCase& c, const test::TempDir& dir,
                                            std::vector<std::string>& problems) {
  for (const auto& [name, text] : c.files) dir.write("rules/" + name, text);
  auto source = readSource(dir);
  REQUIRE(source.ok());
  return lua::LuaRuleSet::load(std::move(source).value(), problems);
}

std::string textOr(const json::Value& v, const char* key, const char* fallback) {
  const auto* found = v.find(key);
  return found != nullptr ? found->text : fallback;
}

struct Outcome {
  std::string what;  // "allow rule"
  policy::Decision decision;
  int64_t micros;
};

Outcome decide(policy::PolicyEvaluator& evaluator, const json::Value& r) {
  const auto principal = test::principalOf(textOr(r, "principal", ""));
  const std::string method = textOr(r, "method", "GET"), host = textOr(r, "host", "h"), path = textOr(r, "path", "/"),
                    query = textOr(r, "query", "");
  std::vector<policy::Header> headers;
  if (r.find("body") != nullptr && r.find("headers") == nullptr)
    headers.push_back({"content-type", "application/json"});
  if (const auto* list = r.find("headers")) {
    for (const auto& pair : list->items) headers.push_back({pair.items[0].text, pair.items[1].text});
  }
  policy::CheckRequest request;
  request.method = method;
  request.host = host;
  request.path = path;
  request.query = query;
  request.headers = headers;
  request.principal = &principal;
  const std::string bytes = textOr(r, "body", "");
  const policy::Body body{true, bytes, r.find("exact_names") != nullptr, {}};
  if (r.find("body") != nullptr) request.body = &body;
  request.source = target::IpAddress::parse(textOr(r, "source", "127.0.0.1")).value();
  if (const auto* time = r.find("time")) request.time_seconds = time->integer;
  policy::AttributeReader reader;
  Outcome out;
  const auto began = std::chrono::steady_clock::now();
  evaluator.decide(request, reader, out.decision);
  out.micros = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began).count();
  out.what = std::string(out.decision.allow ? "allow " : "deny ") + std::string(out.decision.rule);
  return out;
}

}  // namespace

TEST_CASE("policy: the cases in test/cases/policy are decided as they say") {
  for (const char* file : {"language", "sandbox", "documents", "spellings"}) {
    for (const auto& c : test::readPolicyCases(file)) {
      INFO(c.name);
      CHECK_FALSE(c.requests.empty());
      const test::TempDir dir;
      std::vector<std::string> problems;
      auto rules = load(c, dir, problems);
      INFO((problems.empty() ? "" : problems[0]));
      REQUIRE(rules != nullptr);
      auto set = std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, rules}},
                                                           policy::Budget{});
      auto evaluator = policy::PolicyEvaluator::create(set);
      REQUIRE(evaluator.ok());
      for (int round = 0; round < 2; ++round) {  // twice: the first decision must leave nothing behind
        for (const auto& [expect, r, line] : c.requests) {
          const Outcome outcome = decide(*evaluator.value(), r);
          INFO(line << " errors: " << outcome.decision.errors);
          CHECK(outcome.what.starts_with(expect));
          CHECK(outcome.decision.errors.find(textOr(r, "error", "")) != std::string::npos);
          if (r.find("error") == nullptr) CHECK(outcome.decision.errors.empty());
          if (const auto* would = r.find("would_deny")) CHECK(outcome.decision.would_deny == would->text);
          if (const auto* said = r.find("public_reason")) CHECK(outcome.decision.public_reason == said->text);
          if (const auto* set = r.find("set")) {
            REQUIRE(outcome.decision.obligations != nullptr);
            CHECK(outcome.decision.obligations->set_headers.size() == set->fields.size());
            for (const auto& [name, value] : outcome.decision.obligations->set_headers)
              CHECK(set->find(name)->text == value);
            CHECK(outcome.decision.obligations->remove_headers.size() == r.find("remove")->items.size());
          }
          if (const auto* reason = r.find("reason")) CHECK(outcome.decision.reason == reason->text);
          CHECK(outcome.micros < 400'000);
        }
      }
    }
  }
}

TEST_CASE("policy: every problem is reported, with its place") {
  for (const auto& c : test::readPolicyCases("problems")) {
    INFO(c.name);
    CHECK_FALSE(c.problems.empty());
    const test::TempDir dir;
    std::vector<std::string> problems;
    CHECK(load(c, dir, problems) == nullptr);
    std::string all;
    for (const auto& problem : problems) all += problem + "\n";
    INFO(all);
    for (const auto& wanted : c.problems) CHECK(all.find(wanted) != std::string::npos);
  }
}

TEST_CASE("policy: a file that others can write is refused") {
  const test::TempDir dir;
  dir.write("rules/p.lua", "policy 'p' { deny 'a' {} }");
  std::filesystem::permissions(dir.path("rules/p.lua"), std::filesystem::perms(0666));
  const auto source = readSource(dir);
  REQUIRE_FALSE(source.ok());
  CHECK(source.error().message.find("chmod go-w") != std::string::npos);
}

TEST_CASE("policy: dot-files and tests are not policies, and do not change decisions") {
  const test::TempDir dir;
  dir.write("rules/p.lua", "policy 'p' { deny 'a' {} }");
  dir.write("rules/.hidden.lua", "this is not Lua");
  dir.write("rules/p_test.lua", "this is not Lua");
  std::vector<std::string> problems;
  CHECK(lua::LuaRuleSet::load(readSource(dir).value(), problems) != nullptr);
}

TEST_CASE("policy: the reads of a condition are recorded, including absent values") {
  const test::TempDir dir;
  dir.write("rules/p.lua",
            "policy 'p' { allow 'a' { principal = anyone, when = function(r) return has(r.header, 'x') or r.method == "
            "'GET' end } }");
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(readSource(dir).value(), problems);
  auto set = std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, rules}},
                                                       policy::Budget{});
  auto evaluator = policy::PolicyEvaluator::create(set);
  identity::Principal anonymous;
  policy::CheckRequest request;
  request.method = "GET";
  request.path = "/";
  request.principal = &anonymous;
  policy::AttributeReader reader;
  policy::Decision decision;
  evaluator.value()->decide(request, reader, decision);
  CHECK(decision.allow);
  CHECK(reader.readsJson(policy::Recording::plain()) == R"({"header.x":null,"method":"GET"})");
}
