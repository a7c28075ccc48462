#include <catch2/catch.hpp>
#include <cstdlib>

#include "engine/json_engine.h"
#include "policy/policy_set.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::vector<test::RuleText>& rules) {
  engine::PolicySource source;
  source.files["rules.json"] = test::rulesJson(rules);
  std::vector<std::string> problems;
  auto set = engine::JsonRuleSet::load(source, problems);
  INFO((problems.empty() ? source.files["rules.json"] : problems[0]));
  REQUIRE(set != nullptr);
  return policy::PolicyEvaluator::create(std::make_shared<const policy::PolicySet>(
                                             std::vector<policy::LoadedEngine>{{"main", false, set}}, policy::Budget{}))
      .value();
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
  // A million takes a minute and a half; YETT_TEST_PROPERTY says how many.
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
  // Both kinds have to be met often, or nothing is shown.
  CHECK(allowed > requests / 20);
  CHECK(denied > requests / 20);
}

TEST_CASE("combining: more denials, fewer permissions and errors never allow more") {
  test::Random random(7);
  size_t changed = 0;
  for (int round = 0; round < 150; ++round) {
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
