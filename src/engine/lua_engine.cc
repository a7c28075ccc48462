#include "engine/lua_engine.h"

#include <algorithm>
#include <lua.hpp>
#include <tuple>

#include "engine/lua_loader.h"
#include "engine/lua_request.h"
#include "engine/lua_state.h"

namespace yett::engine {
namespace {

class LuaEvaluator final : public policy::Evaluator {
 public:
  LuaEvaluator(const std::vector<Rule>& rules, policy::Budget budget)
      : rules_(rules), budget_(budget), state_(std::make_unique<LuaState>()) {}

  Status load(const PolicySource& source) {
    LuaLoader loader(source, *state_);
    loader.load();
    // The same bytes gave the same rules before; anything else would mean that loading depends on something outside.
    if (!loader.problems().empty()) return Error{loader.problems().front()};
    if (loader.rules().size() != rules_.size()) return Error{"loading the policy a second time gave other rules"};
    conditions_ = loader.conditions();
    return state_->run([&](lua_State* L) {
      pushRequest(L, &reader_);
      request_ = luaL_ref(L, LUA_REGISTRYINDEX);
    });
  }

  void evaluate(policy::AttributeReader& reader, policy::Verdict& out) override {
    reader_ = &reader;
    state_->begin(budget_, LuaState::Purpose::kDecide);
    for (const auto& rule : rules_) {
      if (!applies(rule, reader, out)) continue;
      if (out.effect == policy::Effect::kError) return;
      out.effect = rule.allow ? policy::Effect::kAllow : policy::Effect::kDeny;
      out.policy = rule.policy;
      out.rule = rule.name;
      out.public_reason = rule.public_reason;
      out.status = rule.status;
      if (!rule.reason.empty()) out.reason = rule.reason;
      return;
    }
    out.reason.clear();
  }

 private:
  // True also when the budget is gone: out.effect says so, and nothing is evaluated after it.
  bool applies(const Rule& rule, policy::AttributeReader& reader, policy::Verdict& out) {
    const target::SegmentPattern* path = nullptr;
    if (!rule.matches(reader.request(), path)) return false;
    if (rule.condition < 0) return true;
    reader.setPattern(path);
    bool result = false;
    out.reason.clear();
    auto ran = state_->run([&](lua_State* L) { result = call(L, rule.condition, out.reason); });
    if (ran) return result;
    out.reason.clear();
    out.addError(rule.policy, rule.name, ran.error().message);
    if (state_->overBudget()) {
      out.effect = policy::Effect::kError;
      return true;
    }
    return !rule.allow;  // an error in the condition of a deny: it applies
  }

  // The condition's answer: true or false, and maybe a reason. Anything else is an error, not an answer.
  bool call(lua_State* L, int condition, std::string& reason) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, conditions_[static_cast<size_t>(condition)]);
    lua_rawgeti(L, LUA_REGISTRYINDEX, request_);
    lua_call(L, 1, 2);
    if (lua_type(L, -2) != LUA_TBOOLEAN)
      luaL_error(L, "`when` returned a %s, must return true or false", luaL_typename(L, -2));
    if (lua_type(L, -1) == LUA_TSTRING) reason.assign(lua_tostring(L, -1), std::min<size_t>(lua_rawlen(L, -1), 1024));
    else if (lua_type(L, -1) != LUA_TNIL)
      luaL_error(L, "`when` gave a %s as its reason, must be a string", luaL_typename(L, -1));
    return lua_toboolean(L, -2) != 0;
  }

  const std::vector<Rule>& rules_;
  const policy::Budget budget_;
  std::unique_ptr<LuaState> state_;
  std::vector<int> conditions_;
  int request_ = 0;
  policy::AttributeReader* reader_ = nullptr;
};

}  // namespace

std::shared_ptr<const LuaRuleSet> LuaRuleSet::load(PolicySource source, std::vector<std::string>& problems) {
  std::shared_ptr<LuaRuleSet> out(new LuaRuleSet(std::move(source)));
  LuaState state;
  LuaLoader loader(out->source_, state);
  loader.load();
  if (!loader.problems().empty()) {
    for (const auto& problem : loader.problems()) problems.push_back("policy " + problem);
    return nullptr;
  }
  out->rules_ = std::move(loader.rules());
  std::sort(out->rules_.begin(), out->rules_.end(), [](const Rule& a, const Rule& b) {
    return std::tie(a.allow, a.policy, a.name) < std::tie(b.allow, b.policy, b.name);
  });
  return out;
}

std::vector<policy::RuleInfo> LuaRuleSet::rules() const {
  std::vector<policy::RuleInfo> out;
  for (const auto& rule : rules_) out.push_back({rule.policy, rule.name, rule.allow, rule.position()});
  return out;
}

Result<std::unique_ptr<policy::Evaluator>> LuaRuleSet::makeEvaluator(const policy::Budget& budget) const {
  auto out = std::make_unique<LuaEvaluator>(rules_, budget);
  TRY(out->load(source_));
  return std::unique_ptr<policy::Evaluator>(std::move(out));
}

}  // namespace yett::engine
