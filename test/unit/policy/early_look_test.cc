// An early decision before the body has arrived: if it denies, no body could lead to an allow, and it leaves nothing in
// the remembered decisions.
#include <catch2/catch.hpp>

#include "lua/engine.h"
#include "policy/policy_set.h"
#include "support/evaluators.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

const std::vector<std::string> kBodies = {"",    "{}",   "{\"a\":1}", "{\"a\":2}", "{\"a\":1,\"b\":true}",
                                          "[1]", "null", "{\"a\":",   "7"};

// Conditions that read the body, do not read it, or read it after something else.
const std::vector<std::string> kConditions = {
    "r.body.json.a == 1",
    "has(r.body.json) and r.body.json.a == 2",
    "not r.body.complete",
    "r.body.size > 5",
    "(optional(r.header['x-a']) or '') == '1'",
    "(optional(r.header['x-a']) or '') == '1' and r.body.json.a == 1",
    "(optional(r.header['x-a']) or '') == '1' or r.body.json.b == true",
    "pcall(function() return r.body.json.a end)",  // a read of a missing body cannot be caught
    "not pcall(function() return r.body.size end)",
    "r.method == 'POST'",
    "r.header['x-missing'] == '1'",
    "true",
    "false",
};

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::string& text) {
  policy::EvaluatorOptions options;
  options.remembered_entries = 1000;
  return test::evaluatorOf({test::luaEngine(text)}, options);
}

std::string randomPolicy(test::Random& random) {
  std::string out = "policy 'p' { ";
  for (int i = 0, n = 1 + static_cast<int>(random() % 5); i < n; ++i) {
    const bool deny = random() % 2 == 0;
    out += (deny ? "deny 'd" : "allow 'a") + std::to_string(i) + "' { " + (deny ? "" : "principal = anyone, ");
    if (random() % 3 != 0) out += "when = function(r) return " + kConditions[random() % kConditions.size()] + " end";
    else out += "header = { ['x-a'] = '1' }";
    out += " }, ";
  }
  out += "}";
  if (random() % 3 == 0) {
    out += "\ndecide 'z' { principal = anyone, run = function(r) if " + kConditions[random() % kConditions.size()] +
           " then return '" + (random() % 2 == 0 ? "permit" : "refuse") + "' end end }";
  }
  return out;
}

policy::CheckRequest asked(const test::OwnedRequest& request, const policy::Body& body) {
  policy::CheckRequest out = request.check;
  out.body = &body;
  return out;
}

}  // namespace

TEST_CASE("early look: denies only if no body could lead to an allow, and otherwise waits") {
  test::Random random(20261128);
  size_t denied = 0;
  size_t waited = 0;
  for (int round = 0; round < 400; ++round) {
    std::string text = randomPolicy(random);
    if (const auto at = text.find("\ndecide"); at != std::string::npos && round == 0) text.resize(at);
    policy::PolicySource probe;
    probe.files["p.lua"] = text;
    std::vector<std::string> problems;
    if (lua::LuaRuleSet::load(probe, problems) == nullptr) text.resize(text.find("\ndecide"));
    const auto remembering = evaluatorOf(text);
    const auto fresh = evaluatorOf(text);
    for (const char* header : {"1", "2"}) {
      test::RequestText said{"POST",
                             "/x",
                             "a",
                             "",
                             "spiffe://example.org/x",
                             "127.0.0.1",
                             {{"content-type", "application/json"}, {"x-a", header}}};
      const test::OwnedRequest request(said);
      policy::AttributeReader reader;
      policy::Decision early;
      const policy::Body nothing{.awaited = true};
      const policy::CheckRequest awaited = asked(request, nothing);
      remembering->decide(awaited, reader, early);
      bool any = false;
      for (const auto& bytes : kBodies) {
        const policy::Body body{true, bytes};
        const policy::CheckRequest whole = asked(request, body);
        policy::Decision after;
        policy::Decision alone;
        remembering->decide(whole, reader, after);
        policy::Decision again;
        remembering->decide(awaited, reader, again);
        fresh->decide(whole, reader, alone);
        INFO(text << "\nx-a: " << header << "\nbody: " << bytes);
        REQUIRE(after.allow == alone.allow);  // nothing of the early look was remembered
        REQUIRE(after.rule == alone.rule);
        REQUIRE(again.allow == early.allow);
        REQUIRE((early.allow || !alone.allow));
        any = any || alone.allow;
      }
      REQUIRE((!any || early.allow));
      if (!early.allow) {
        ++denied;
        CHECK(early.errors.find("not here yet") == std::string::npos);
        remembering->decide(awaited, reader, early);
        CHECK(reader.readsJson(policy::Recording::plain()).find("body") == std::string::npos);
      } else {
        ++waited;
      }
    }
  }
  CHECK(denied > 100);
  CHECK(waited > 100);
}
