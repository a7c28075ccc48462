#include <catch2/catch.hpp>
#include <chrono>

#include "base/file.h"
#include "base/json.h"
#include "lua/engine.h"
#include "policy/policy_set.h"
#include "support/evaluators.h"
#include "support/policy_cases.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::string& when) {
  return test::evaluatorOf({test::luaEngine(
      "local slow = re '(a|b|c|d|e|f|g|h)*(aa|bb|cc)*(x|y|z)*(a|b|c|d|e|f|g|h)*(aa|bb|cc)*(x|y|z)*'\n"
      "policy 'p' { allow 'attack' { principal = anyone, path = '/attack', when = function(r) " +
      when +
      "\nend }, allow 'after' { principal = anyone, path = '/after', when = function(r) local t = { 3, 1, 2 } "
      "table.sort(t) return t[1] == 1 and ('aB'):upper() == 'AB' and r.method == 'GET' end } }")});
}

policy::Decision decide(policy::PolicyEvaluator& evaluator, const std::string& path,
                        const std::string& method = "GET") {
  test::RequestText text;
  text.method = method;
  text.path = path;
  text.host = "h";
  text.source = "127.0.0.1";
  const test::OwnedRequest request(text);
  policy::AttributeReader reader;
  policy::Decision out;
  evaluator.decide(request.check, reader, out);
  return out;
}

}  // namespace

TEST_CASE("sandbox: every attack ends as a policy error within its budget, and the next decision is correct") {
  const auto cases = test::readPolicyCases("attacks");
  CHECK(cases.size() >= 80);
  int64_t slowest = 0;
  for (const auto& c : cases) {
    const std::string& when = c.files.at("when");
    INFO(c.name << ": " << when);
    const auto evaluator = evaluatorOf(when);
    for (int round = 0; round < 2; ++round) {
      const auto began = std::chrono::steady_clock::now();
      const auto attacked = decide(*evaluator, "/attack");
      const auto took = std::chrono::steady_clock::now() - began;
      slowest = std::max<int64_t>(slowest, std::chrono::duration_cast<std::chrono::microseconds>(took).count());
      INFO(attacked.rule << " " << attacked.errors);
      CHECK_FALSE(attacked.allow);
      CHECK(attacked.errors.empty() == (c.error == "none"));
      if (c.error != "none") CHECK(attacked.errors.find(c.error) != std::string::npos);
      CHECK(took < std::chrono::milliseconds(400));
      const auto after = decide(*evaluator, "/after");
      CHECK(after.allow);
      CHECK(after.errors.empty());
    }
  }
  WARN("the slowest of " << cases.size() << " attacks took " << slowest << " us");
}

TEST_CASE("sandbox: a rule that keeps exhausting its budget gets a smaller one for a while, cheap runs still work") {
  const auto evaluator =
      evaluatorOf("local n = 0 for i = 1, r.method == 'GET' and 1000000 or 100 do n = n + i end return n > 0");
  for (int i = 0; i < 10; ++i)
    CHECK(decide(*evaluator, "/attack").errors.find("instruction budget of 100000 used up") != std::string::npos);
  const auto shortened = decide(*evaluator, "/attack");
  CHECK_FALSE(shortened.allow);
  CHECK(shortened.errors.find("shortened instruction budget") != std::string::npos);
  CHECK(decide(*evaluator, "/attack", "POST").allow);
  CHECK(decide(*evaluator, "/after").allow);
}
