#include <catch2/catch.hpp>
#include <map>

#include "engine/json_engine.h"
#include "policy/policy_set.h"
#include "rule/rule_fields.h"
#include "support/evaluators.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

// What a matcher wants, and requests that match and do not match.
struct Sample {
  std::string wanted;  // JSON
  test::RequestText has;
  test::RequestText has_not;
};

test::RequestText request() {
  test::RequestText out;
  out.method = "POST";
  out.path = "/shop.Orders/Get";
  out.host = "a.example.org";
  out.query = "k=v";
  out.principal = "spiffe://example.org/x";
  out.source = "10.0.0.1";
  out.token = true;
  out.groups = {"guests", "admins"};
  out.headers = {{"content-type", "application/grpc"}, {"x-a", "1"}};
  return out;
}

std::map<std::string, Sample> samples() {
  const test::RequestText has = request();
  test::RequestText other;
  other.method = "GET";
  other.path = "/elsewhere/x";
  other.host = "b.example.org";
  other.query = "k=w";
  other.principal = "spiffe://example.org/y";
  other.source = "192.168.0.7";
  other.headers = {{"content-type", "text/plain"}, {"x-a", "2"}};
  test::RequestText another_call = has;
  another_call.path = "/shop.Other/Get";
  other.time += 86'400;
  test::RequestText another_group = has;
  another_group.groups = {"guests"};
  return {{"principal", {"\"spiffe://example.org/x\"", has, other}},
          {"method", {"\"POST\"", has, other}},
          {"host", {"\"a.example.org\"", has, other}},
          {"path", {"\"/shop.Orders/*\"", has, other}},
          {"header", {R"({"x-a": "1"})", has, other}},
          {"query", {R"({"k": "v"})", has, other}},
          {"hours", {R"({"at": ["fri"], "zone": "UTC"})", has, other}},
          {"source", {"\"10.0.0.0/8\"", has, other}},
          {"jwt", {"\"corp\"", has, other}},
          {"claim", {R"({"corp.groups": "admins"})", has, another_group}},
          {"grpc", {"\"shop.Orders/*\"", has, another_call}}};
}

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::string& rules) {
  return test::evaluatorOf({test::jsonEngine(R"({"policies": {"p": {"rules": [)" + rules + "]}}}")});
}

bool allows(policy::PolicyEvaluator& evaluator, const test::RequestText& text) {
  const test::OwnedRequest request(text);
  policy::AttributeReader reader;
  policy::Decision out;
  evaluator.decide(request.check, reader, out);
  return out.allow;
}

std::string failedAt(policy::PolicyEvaluator& evaluator, const test::RequestText& text) {
  const test::OwnedRequest request(text);
  policy::AttributeReader reader;
  std::vector<policy::RuleTrace> traces;
  evaluator.explain(request.check, reader, traces);
  return traces.empty() ? "" : traces[0].failed;
}

}  // namespace

TEST_CASE("every matcher and its `not_` twin decide on their own, are found by the index, and are named if they fail") {
  size_t tried = 0;
  for (const std::string_view field : rule::ruleFieldNames()) {
    if (!rule::isListField(field) && !rule::isKeyedField(field) && !field.ends_with("hours")) continue;
    const bool twin = field.starts_with("not_");
    const std::string name(twin ? field.substr(4) : field);
    INFO(field);
    const auto all = samples();
    REQUIRE(all.contains(name));  // a new matcher needs a sample here
    const Sample& sample = all.at(name);
    const auto& allowed = twin ? sample.has_not : sample.has;
    const auto& denied = twin ? sample.has : sample.has_not;
    const std::string caller = name == "principal" && !twin ? "" : R"("principal": "anyone", )";
    const auto allow =
        evaluatorOf(R"({"allow": "a", )" + caller + '"' + std::string(field) + "\": " + sample.wanted + "}");
    CHECK(allows(*allow, allowed));
    CHECK_FALSE(allows(*allow, denied));
    CHECK(failedAt(*allow, allowed).empty());
    CHECK(failedAt(*allow, denied) == field);
    const auto deny = evaluatorOf(R"({"deny": "d", ")" + std::string(field) + "\": " + sample.wanted +
                                  R"(}, {"allow": "rest", "principal": "anyone"})");
    CHECK_FALSE(allows(*deny, allowed));
    CHECK(allows(*deny, denied));
    ++tried;
  }
  CHECK(tried == 2 * samples().size());
}
