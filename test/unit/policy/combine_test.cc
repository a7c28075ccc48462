#include <catch2/catch.hpp>

#include "policy/policy_set.h"

using namespace yett::policy;

namespace {

Verdict verdict(Effect effect, std::string_view policy = "p", std::string_view rule = "r") {
  Verdict v;
  v.effect = effect;
  v.policy = policy;
  v.rule = rule;
  return v;
}

Decision decide(std::vector<Verdict> verdicts, const std::vector<bool>& veto = {}) {
  std::vector<LoadedEngine> engines;
  for (size_t i = 0; i < verdicts.size(); ++i)
    engines.push_back({"e" + std::to_string(i), i < veto.size() && veto[i], nullptr});
  Decision out;
  combine(engines, verdicts, out);
  return out;
}

}  // namespace

TEST_CASE("combine: denied by default if nothing allows") {
  CHECK_FALSE(decide({}).allow);
  CHECK(decide({verdict(Effect::kAbstain)}).rule == "default");
}

TEST_CASE("combine: an allow allows, but a deny overrides it") {
  CHECK(decide({verdict(Effect::kAllow)}).allow);
  CHECK_FALSE(decide({verdict(Effect::kAllow), verdict(Effect::kDeny, "z", "no")}).allow);
  CHECK(decide({verdict(Effect::kAllow), verdict(Effect::kDeny, "z", "no")}).rule == "no");
}

TEST_CASE("combine: any error denies, whatever the others say") {
  const auto d = decide({verdict(Effect::kAllow), verdict(Effect::kError)});
  CHECK_FALSE(d.allow);
  CHECK(d.rule == "error");
}

TEST_CASE("combine: an engine with a veto can deny and never allow") {
  CHECK_FALSE(decide({verdict(Effect::kAllow)}, {true}).allow);
  CHECK_FALSE(decide({verdict(Effect::kAllow), verdict(Effect::kDeny)}, {false, true}).allow);
  CHECK(decide({verdict(Effect::kAllow), verdict(Effect::kAllow)}, {true, false}).allow);
}

TEST_CASE("combine: the bytewise first (policy, rule) is recorded, whatever the order of engines") {
  const auto a = verdict(Effect::kDeny, "a", "x");
  const auto b = verdict(Effect::kDeny, "b", "a");
  CHECK(decide({a, b}).policy == "a");
  CHECK(decide({b, a}).policy == "a");
}

TEST_CASE("combine: adding a deny, an error or a veto never allows more; over all sets of three") {
  const Effect effects[] = {Effect::kAllow, Effect::kDeny, Effect::kAbstain, Effect::kError};
  for (const Effect x : effects) {
    for (const Effect y : effects) {
      const bool before = decide({verdict(x), verdict(y)}).allow;
      CHECK((before || !decide({verdict(x), verdict(y), verdict(Effect::kDeny)}).allow));
      CHECK((before || !decide({verdict(x), verdict(y), verdict(Effect::kError)}).allow));
      for (const Effect z : effects)
        CHECK((before || !decide({verdict(x), verdict(y), verdict(z)}, {false, false, true}).allow));
    }
  }
}
