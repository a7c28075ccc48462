// A deny still applies if the request is spelled differently in a way that some service reads as the same.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/text.h"
#include "engine/json_engine.h"
#include "policy/policy_set.h"
#include "support/evaluators.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::vector<test::RuleText>& rules) {
  return test::evaluatorOf({test::jsonEngine(test::rulesJson(rules))});
}

// The deny rule that decides the request; "" if it is allowed or no deny rule decided.
std::string denyOf(policy::PolicyEvaluator& evaluator, const test::RequestText& text) {
  const test::OwnedRequest request(text);
  policy::AttributeReader reader;
  policy::Decision d;
  evaluator.decide(request.check, reader, d);
  return d.allow || d.policy.empty() ? "" : std::string(d.policy) + "/" + std::string(d.rule);
}

std::string otherCase(std::string text, test::Random& random) {
  for (char& c : text) {
    if (random() % 2 == 0) continue;
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    else if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

// Keys as folded by PHP, Rack, qs and the like; each pair is separate or follows another after `;`.
std::string otherQuery(const std::string& query, test::Random& random) {
  std::string out;
  for (const auto pair : base::split(query, '&')) {
    const size_t equals = std::min(pair.find('='), pair.size());
    std::string key = otherCase(std::string(pair.substr(0, equals)), random);
    switch (random() % 4) {
      case 0: key += "[]"; break;
      case 1: key = "[" + key + "]"; break;
      case 2: key += "[0]"; break;
      default: break;
    }
    if (!out.empty()) out += '&';
    if (random() % 4 == 0) out += "other=1;";
    out += key + std::string(pair.substr(equals));
  }
  return out;
}

// Not plain: a deny with `not_path`, `not_query` or `not_grpc`, which may not apply to other spellings.
bool plain(const test::RuleText& rule) {
  return rule.allow || std::none_of(rule.fields.begin(), rule.fields.end(), [](const auto& field) {
           return field.first.starts_with("not_path") || field.first.starts_with("not_query") ||
                  field.first.starts_with("not_grpc");
         });
}

}  // namespace

TEST_CASE("spellings: a deny applies in every spelling of path and query") {
  const char* wanted = std::getenv("YETT_TEST_PROPERTY");
  const size_t requests = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 20'000;
  test::Random random(20261128);
  size_t denied = 0, otherwise = 0;
  for (size_t done = 0; done < requests;) {
    std::vector<test::RuleText> rules;
    for (size_t n = 1 + random() % 6; n > 0; --n) rules.push_back(test::randomRule(random, static_cast<int>(n)));
    std::erase_if(rules, [](const auto& rule) { return !plain(rule); });
    test::RuleText all{"zz", "all", true, false, {{"principal", {"anyone"}}}};
    rules.push_back(all);
    const auto evaluator = evaluatorOf(rules);
    for (int i = 0; i < 50; ++i, ++done) {
      auto request = test::randomRequest(random);
      const std::string by = denyOf(*evaluator, request);
      if (by.empty()) continue;
      ++denied;
      const auto before = request;
      request.path = otherCase(request.path, random);
      if (request.query.find_first_of("%+;") == std::string::npos) request.query = otherQuery(request.query, random);
      otherwise += request.path != before.path || request.query != before.query ? 1 : 0;
      if (denyOf(*evaluator, request).empty()) {
        INFO(test::rulesJson(rules));
        INFO(before.method << " " << before.path << "?" << before.query << " is denied by " << by);
        INFO("and allowed as " << request.path << "?" << request.query);
        FAIL("a spelling passes");
      }
    }
  }
  // Denials must occur often, or the test proves nothing.
  CHECK(denied > requests / 20);
  CHECK(otherwise > denied / 2);
}
