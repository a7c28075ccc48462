#include "fuzz/targets.h"

#include "engine/json_engine.h"
#include "lua/engine.h"
#include "lua/tests.h"
#include "policy/policy_set.h"
#include "runtime/check_input.h"

namespace yett::fuzz {
namespace {

constexpr policy::Budget kLoad{300'000, 8 << 20};

// Every problem names its place: "policy p.lua:3: ...", or the file at least.
std::string placed(const std::vector<std::string>& problems, const std::string& file) {
  for (const auto& problem : problems) {
    if (problem.find(file) == std::string::npos) return "no place: " + problem;
  }
  return {};
}

std::string decideSome(std::shared_ptr<const policy::RuleSet> rules) {
  auto set = std::make_shared<const policy::PolicySet>(
      std::vector<policy::LoadedEngine>{{"main", false, std::move(rules)}}, policy::Budget{20'000, 256 << 10});
  auto evaluator = policy::PolicyEvaluator::create(set);
  if (!evaluator) return {};  // the second load exceeded its budget
  for (const char* text :
       {R"({"path": "/orders/42", "principal": "spiffe://example.org/ns/shop/sa/frontend"})",
        R"({"path": "/debug/x?a=1&a=2", "method": "POST", "headers": {"x-a": ["1", "2"]}, "body": "{}"})"}) {
    auto input = runtime::CheckInput::fromJson(json::parse(text, false).value(), set->ownedHeaders());
    if (!input) return "a fine request is refused: " + input.error().message;
    policy::AttributeReader reader;
    policy::Decision decision;
    evaluator.value()->decide(input.value()->request(), reader, decision);
    if (decision.allow && decision.policy.empty()) return "allowed by nothing";
    (void)reader.readsJson(policy::Recording::plain());
  }
  return {};
}

std::string policyLua(std::string_view bytes) {
  policy::PolicySource source;
  source.directory = "p.lua of nothing";
  source.files["p.lua"] = bytes;
  source.files["d.json"] = R"({"a": [1, {"b": true}], "c": "x"})";
  source.files["lib/l.lua"] = "return { f = function(x) return x end }";
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(source, problems, kLoad);
  if (!rules) return problems.empty() ? "refused without a problem" : placed(problems, "p.lua");
  (void)rules->warnings();
  return decideSome(rules);
}

std::string rulesJson(std::string_view bytes) {
  policy::PolicySource source;
  source.directory = "r.json of nothing";
  source.files["r.json"] = bytes;
  std::vector<std::string> problems;
  auto rules = engine::JsonRuleSet::load(source, problems);
  if (!rules) return problems.empty() ? "refused without a problem" : placed(problems, "r.json");
  (void)rules->warnings();
  return decideSome(rules);
}

std::string dataJson(std::string_view bytes) {
  policy::PolicySource source;
  source.files["p.lua"] =
      "local d = data 'd.json' policy 'p' { allow 'a' { principal = anyone, when = function(r) local n = 0 for k, v in "
      "pairs(d) do n = n + 1 end return has(d, 'a') and optional(d, 'b', n) == n end } }";
  source.files["d.json"] = bytes;
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(source, problems, kLoad);
  if (!rules) return problems.empty() ? "refused without a problem" : placed(problems, "p.lua");
  return decideSome(rules);
}

std::string testLua(std::string_view bytes) {
  policy::PolicySource source;
  source.files["p_test.lua"] = bytes;
  std::vector<std::string> problems;
  (void)lua::loadTests(source, problems, kLoad);
  return placed(problems, "p_test.lua");
}

std::string rawHttp(std::string_view bytes) {
  const auto input = runtime::CheckInput::fromHttp(bytes, {}, {});
  return input.ok() || !input.error().message.empty() ? "" : "refused without a reason";
}

std::string checkRequest(std::string_view bytes) {
  const auto parsed = json::parse(bytes, true);
  if (!parsed) return parsed.error().message.starts_with("line ") ? "" : "no line: " + parsed.error().message;
  const auto input = runtime::CheckInput::fromJson(parsed.value(), {});
  return input.ok() || !input.error().message.empty() ? "" : "refused without a reason";
}

constexpr Target kTargets[] = {{"policy_lua", policyLua}, {"rules_json", rulesJson}, {"data_json", dataJson},
                               {"test_lua", testLua},     {"raw_http", rawHttp},     {"check_request", checkRequest}};

}  // namespace

std::vector<Target> targets() {
  std::vector<Target> out(std::begin(kTargets), std::end(kTargets));
  const auto http = httpTargets();
  out.insert(out.end(), http.begin(), http.end());
  const auto audit = auditTargets();
  out.insert(out.end(), audit.begin(), audit.end());
  const auto identity = identityTargets();
  out.insert(out.end(), identity.begin(), identity.end());
  const auto workload = workloadTargets();
  out.insert(out.end(), workload.begin(), workload.end());
  return out;
}

}  // namespace yett::fuzz
