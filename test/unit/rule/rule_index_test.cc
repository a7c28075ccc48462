#include <catch2/catch.hpp>
#include <cstdlib>

#include "engine/json_engine.h"
#include "lua/engine.h"
#include "policy/policy_set.h"
#include "support/evaluators.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

policy::LoadedEngine engineOf(const std::string& name, const std::vector<test::RuleText>& rules, bool veto = false) {
  return test::jsonEngine(test::rulesJson(rules), name, veto);
}

using test::evaluatorOf;

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::vector<test::RuleText>& rules) {
  return evaluatorOf(std::vector<policy::LoadedEngine>{engineOf("main", rules)});
}

// An engine that always fails.
std::shared_ptr<const policy::RuleSet> failing() {
  return test::luaEngine("policy 'f' { allow 'f' { principal = anyone, when = function(r) while true do end end } }")
      .rules;
}

std::string decisionOf(policy::PolicyEvaluator& evaluator, const test::RequestText& text) {
  const test::OwnedRequest request(text);
  policy::AttributeReader reader;
  policy::Decision d;
  evaluator.decide(request.check, reader, d);
  return std::string(d.allow ? "allow " : "deny ") + std::string(d.policy) + "/" + std::string(d.rule);
}

}  // namespace

TEST_CASE("rule index: agrees with the slow, obvious matcher") {
  // YETT_TEST_PROPERTY sets the number; a million takes a minute and a half.
  const char* wanted = std::getenv("YETT_TEST_PROPERTY");
  const size_t requests = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 20'000;
  test::Random random(20261121);
  size_t allowed = 0;
  size_t denied = 0;
  for (size_t done = 0; done < requests;) {
    std::vector<test::RuleText> rules;
    for (size_t n = 1 + random() % 12; n > 0; --n) rules.push_back(test::randomRule(random, static_cast<int>(n)));
    const auto evaluator = evaluatorOf(rules);
    for (int i = 0; i < 100; ++i, ++done) {
      const auto request = test::randomRequest(random);
      const std::string expected = test::obviousDecision(rules, request);
      const std::string found = decisionOf(*evaluator, request);
      if (found != expected) {
        INFO(test::rulesJson(rules));
        INFO(request.method << " " << request.host << request.path << "?" << request.query << " by "
                            << request.principal << " from " << request.source);
        REQUIRE(found == expected);
      }
      (found[0] == 'a' ? allowed : denied) += found != "deny /default" ? 1 : 0;
    }
  }
  // Both kinds must occur often, or the test proves nothing.
  CHECK(allowed > requests / 20);
  CHECK(denied > requests / 20);
}

TEST_CASE("combining: more denials, fewer permissions and errors never allow more") {
  test::Random random(7);
  size_t changed = 0;
  for (int round = 0; round < 250; ++round) {
    std::vector<test::RuleText> rules;
    for (size_t n = 2 + random() % 8; n > 0; --n) rules.push_back(test::randomRule(random, static_cast<int>(n)));
    auto fewer = rules;
    auto more = rules;
    const auto at = static_cast<ptrdiff_t>(random() % rules.size());
    if (rules[static_cast<size_t>(at)].allow && rules.size() > 1) fewer.erase(fewer.begin() + at);
    auto deny = test::randomRule(random, 99);
    deny.allow = false;
    more.push_back(deny);
    auto shuffled = rules;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    const auto before = evaluatorOf(rules), without = evaluatorOf(fewer), with = evaluatorOf(more),
               other_order = evaluatorOf(shuffled);
    for (int i = 0; i < 60; ++i) {
      const auto request = test::randomRequest(random);
      const std::string was = decisionOf(*before, request);
      const bool allowed = was.starts_with("allow");
      if (!allowed) {
        CHECK_FALSE(decisionOf(*without, request).starts_with("allow"));
        CHECK_FALSE(decisionOf(*with, request).starts_with("allow"));
      }
      changed += allowed && !decisionOf(*with, request).starts_with("allow") ? 1 : 0;
      CHECK(decisionOf(*other_order, request) == was);
    }
  }
  CHECK(changed > 100);
}

TEST_CASE("combining: another veto engine or a failing one never allows more, an audit_only rule changes nothing") {
  test::Random random(11);
  size_t vetoed = 0;
  size_t would = 0;
  for (int round = 0; round < 120; ++round) {
    std::vector<test::RuleText> rules;
    std::vector<test::RuleText> others;
    for (size_t n = 2 + random() % 8; n > 0; --n) rules.push_back(test::randomRule(random, static_cast<int>(n)));
    for (size_t n = 1 + random() % 4; n > 0; --n) others.push_back(test::randomRule(random, 50 + static_cast<int>(n)));
    auto audited = rules;
    for (int n = 0; n < 3; ++n) {
      auto rule = test::randomRule(random, 90 + n);
      rule.allow = false;
      rule.audit_only = true;
      rule.name = "0" + rule.name;  // it would come before all others if it counted
      audited.push_back(rule);
    }
    const auto before = evaluatorOf(rules), with_audit = evaluatorOf(audited);
    const auto with_veto = evaluatorOf({engineOf("main", rules), engineOf("veto", others, true)});
    const auto with_failure = evaluatorOf({engineOf("main", rules), {"failing", round % 2 == 0, failing()}});
    for (int i = 0; i < 60; ++i) {
      const auto request = test::randomRequest(random);
      const std::string was = decisionOf(*before, request);
      const bool allowed = was.starts_with("allow");
      const bool still = decisionOf(*with_veto, request).starts_with("allow");
      CHECK((!still || allowed));
      vetoed += allowed && !still ? 1 : 0;
      if (i < 3) CHECK_FALSE(decisionOf(*with_failure, request).starts_with("allow"));
      CHECK(decisionOf(*with_audit, request) == was);
      const test::OwnedRequest owned(request);
      policy::AttributeReader reader;
      policy::Decision d;
      with_audit->decide(owned.check, reader, d);
      would += d.would_deny.empty() ? 0 : 1;
      CHECK((d.allow || d.would_deny.empty()));
    }
  }
  CHECK(vetoed > 10);
  CHECK(would > 50);
}

TEST_CASE("combining: the file that contains a policy changes no byte of a decision") {
  const std::vector<std::string> policies = {
      "policy 'a' { allow 'x' { principal = anyone, path = '/**', when = function(r) return has(r.header, 'x-a'), 'no "
      "x-a' end } }",
      "policy 'b' { deny 'y' { path = '/orders/**', when = function(r) return r.header['x-b'] == '1', 'x-b is 1' end } "
      "}",
      "policy 'c' { allow 'z' { principal = authenticated, path = '/a/**', set_header = { ['x-r'] = 'z' } } }",
      "policy 'd' { decide(function(r) if r.method == 'PUT' then return permit('put') end end) }"};
  const auto load = [&](const std::vector<size_t>& order) {
    policy::PolicySource source;
    for (size_t i = 0; i < order.size(); ++i)
      source.files[std::string(1, static_cast<char>('a' + i)) + ".lua"] = policies[order[i]];
    std::vector<std::string> problems;
    return evaluatorOf({{"main", false, lua::LuaRuleSet::load(source, problems)}});
  };
  const auto one = load({0, 1, 2, 3});
  const auto other = load({3, 1, 0, 2});
  test::Random random(3);
  for (int i = 0; i < 500; ++i) {
    const auto text = test::randomRequest(random);
    const test::OwnedRequest request(text);
    std::string seen[2];
    for (auto* evaluator : {one.get(), other.get()}) {
      policy::AttributeReader reader;
      policy::Decision d;
      evaluator->decide(request.check, reader, d);
      std::string errors = d.errors;  // they contain file names
      for (size_t at = 0; (at = errors.find(".lua")) != std::string::npos;) errors.erase(at - 1, 5);
      seen[evaluator == one.get() ? 0 : 1] = std::string(d.policy) + "/" + std::string(d.rule) + d.reason + errors +
                                             reader.readsJson(policy::Recording::plain()) + (d.allow ? "+" : "-");
    }
    REQUIRE(seen[0] == seen[1]);
  }
}
