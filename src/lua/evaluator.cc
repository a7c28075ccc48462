#include "lua/evaluator.h"

#include <algorithm>
#include <lua.hpp>
#include <map>

#include "lua/loader.h"
#include "lua/request.h"
#include "lua/values.h"
#include "policy/settable_header.h"

namespace yett::lua {
namespace {

constexpr size_t kLongestReason = 1024;
constexpr int64_t kShortened = 2;  // seconds

std::string reasonAt(lua_State* L, int index, const char* whose) {
  if (lua_type(L, index) == LUA_TSTRING)
    return {lua_tostring(L, index), std::min<size_t>(lua_rawlen(L, index), kLongestReason)};
  if (lua_type(L, index) != LUA_TNIL)
    luaL_error(L, "%s gave a %s as its reason, must be a string", whose, luaL_typename(L, index));
  return {};
}

}  // namespace

LuaEvaluator::LuaEvaluator(const rule::RuleBook& book, const policy::EvaluatorOptions& options)
    : rule::RuleEvaluator(book),
      options_(options),
      state_(std::make_unique<LuaState>()),
      memory_(options, book.policies()),
      patience_(book.slots()),
      shortened_((options.metrics != nullptr ? *options.metrics : own_metrics_)
                     .counter("yett_rules_shortened_total", {},
                              "rules that used up their budget repeatedly and got only a tenth of it for a while")) {}

Status LuaEvaluator::load(const policy::PolicySource& source, policy::DataDocuments& documents,
                          const std::set<std::string>& files, const policy::Budget& budget) {
  LuaLoader loader(source, documents, *state_);
  loader.load(&files, budget);
  // The same bytes loaded without problems before; a problem now would mean that loading depends on something external.
  if (!loader.problems().empty()) return Error{loader.problems().front()};
  std::map<std::pair<std::string_view, std::string_view>, const rule::Rule*> loaded;
  for (const auto& rule : loader.rules()) loaded[{rule.policy, rule.name}] = &rule;
  const auto reference = [&](int function) {
    return function >= 0 ? loader.conditions()[static_cast<size_t>(function)] : 0;
  };
  conditions_.resize(book().slots());
  for (size_t number = 0; number < book().rules().size(); ++number) {
    const rule::Rule& rule = book().rules()[number];
    const auto found = loaded.find({rule.policy, rule.name});
    if (found == loaded.end() && !rule.captures()) continue;
    if (found == loaded.end() || (found->second->condition >= 0) != (rule.condition >= 0) ||
        found->second->computed.size() != rule.computed.size())
      return Error{"loading the policy a second time gave different rules"};
    conditions_[number] = reference(found->second->condition);
    for (size_t i = 0; i < rule.computed.size(); ++i)
      conditions_[rule.first_slot + i] = reference(found->second->computed[i].function);
  }
  return state_->run([&](lua_State* L) {
    pushRequest(L, &reader_);
    request_ = luaL_ref(L, LUA_REGISTRYINDEX);
  });
}

// The condition's answer: true or false, and maybe a reason. Anything else is an error, not an answer.
rule::RuleEvaluator::Answer LuaEvaluator::callWhen(lua_State* L, policy::Verdict& out) {
  if (lua_type(L, 1) != LUA_TBOOLEAN)
    luaL_error(L, "`when` returned a %s, must return true or false", luaL_typename(L, 1));
  out.reason = reasonAt(L, 2, "`when`");
  return lua_toboolean(L, 1) != 0 ? Answer::kYes : Answer::kNo;
}

rule::RuleEvaluator::Answer LuaEvaluator::callProgram(lua_State* L, policy::Verdict& out) {
  if (lua_type(L, 1) == LUA_TNIL) return Answer::kAbstain;
  const auto said = programAnswer(L, 1);
  if (said == ProgramAnswer::kNone)
    luaL_error(L, "`decide` returned a %s, must return permit(...), refuse(...) or nil", luaL_typename(L, 1));
  out.reason = reasonAt(L, 2, "`decide`");
  out.public_reason = reasonAt(L, 3, "`decide`");
  return said == ProgramAnswer::kPermit ? Answer::kPermit : Answer::kRefuse;
}

rule::RuleEvaluator::Answer LuaEvaluator::callHeader(lua_State* L, const rule::ComputedHeader& header,
                                                     policy::Verdict& out) {
  const char* name = header.name.c_str();
  if (lua_type(L, 1) != LUA_TSTRING)
    luaL_error(L, "`set_header` of `%s` returned a %s, must return a string", name, luaL_typename(L, 1));
  const std::string_view value(lua_tostring(L, 1), lua_rawlen(L, 1));
  if (value.size() > policy::kLongestHeader)
    luaL_error(L, "`set_header` of `%s` returned %d bytes, at most 4096 are allowed", name,
               static_cast<int>(value.size()));
  if (value.empty()) luaL_error(L, "`set_header` of `%s` returned an empty text", name);
  if (!policy::isFieldValue(value))
    luaL_error(L, "`set_header` of `%s` returned a value that is not valid in a header (RFC 9110 5.5)", name);
  out.reason = value;
  return Answer::kYes;
}

rule::RuleEvaluator::Answer LuaEvaluator::fresh(const Function& function, policy::AttributeReader& reader,
                                                policy::Verdict& out) {
  const rule::Rule& rule = function.rule;
  const uint64_t instructions = state_->instructions();
  const uint64_t bytes = state_->allocated();
  Answer answer = Answer::kFailed;
  const uint32_t unknown = reader.unknownReads();
  reader.beginWindow();
  const auto ran = state_->run([&](lua_State* L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, conditions_[function.slot]);
    lua_rawgeti(L, LUA_REGISTRYINDEX, request_);
    lua_call(L, 1, 3);
    if (function.header != nullptr) answer = callHeader(L, *function.header, out);
    else answer = rule.kind == rule::Rule::Kind::kDecide ? callProgram(L, out) : callWhen(L, out);
  });
  if (!ran) {
    out.addError(rule.policy, rule.name, ran.error().message);
    return state_->overBudget() ? Answer::kSpent : Answer::kFailed;
  }
  if (!memory_.enabled() || reader.unknownReads() != unknown)
    return answer;  // results based on unknown values are not remembered
  const int64_t expires = rule.ttl_seconds > 0 ? reader.request().time_seconds + rule.ttl_seconds : 0;
  memory_.keep(function.slot, reader,
               {static_cast<uint8_t>(answer), out.reason, out.public_reason, state_->instructions() - instructions,
                state_->allocated() - bytes, expires, function.header == nullptr});
  return answer;
}

rule::RuleEvaluator::Answer LuaEvaluator::ask(uint32_t number, policy::AttributeReader& reader, policy::Verdict& out) {
  return call({number, book().rules()[number]}, reader, out);
}

// The value takes the place of the reason while it is computed and remembered.
rule::RuleEvaluator::Answer LuaEvaluator::compute(uint32_t slot, const rule::Rule& rule,
                                                  policy::AttributeReader& reader, policy::Verdict& out,
                                                  std::string& value) {
  std::string reason = std::move(out.reason);
  out.reason.clear();
  const Answer answer = call({slot, rule, &rule.computed[slot - rule.first_slot]}, reader, out);
  value = std::move(out.reason);
  out.reason = std::move(reason);
  return answer;
}

rule::RuleEvaluator::Answer LuaEvaluator::call(Function function, policy::AttributeReader& reader,
                                               policy::Verdict& out) {
  const uint32_t number = function.slot;
  reader_ = &reader;
  memory::Remembered found;
  if (memory_.enabled()) {
    if (memory_.find(number, reader, found) && memory_.noteReads(reader) &&
        state_->chargeRun(found.instructions, found.bytes)) {
      memory_.countHit(number);
      patience_[number].spent = 0;
      ++out.remembered;
      out.reason = found.reason;
      out.public_reason = found.public_reason;
      return static_cast<Answer>(found.answer);
    }
    memory_.countMiss(number);
  }
  ++out.fresh;
  // A rule that keeps using up its budget gets a tenth of it for a while: cheap runs still complete.
  Patience& patience = patience_[number];
  const int64_t now = reader.request().time_seconds;
  const uint64_t before = state_->instructions();
  if (patience.shortened > now) state_->allowOnly(options_.budget.instructions / 10);
  const Answer answer = fresh(function, reader, out);
  state_->allowAll();
  if (answer != Answer::kSpent) {
    patience.spent = 0;
  } else if ((state_->late() || state_->instructions() - before >= options_.budget.instructions / 2) &&
             options_.most_spent > 0 && ++patience.spent >= options_.most_spent) {
    patience = {options_.most_spent - 1, now + kShortened};
    shortened_.add();
  }
  return answer;
}

void LuaEvaluator::trace(uint32_t number, policy::AttributeReader& reader, policy::RuleTrace& out) {
  policy::Verdict verdict;
  reader_ = &reader;
  std::string last;
  LuaState::LineSink before = state_->lineSink();
  state_->watchLines([&](const char* file, int line) { last = std::string(file) + ":" + std::to_string(line); });
  const Answer answer = fresh({number, book().rules()[number]}, reader, verdict);
  state_->watchLines(std::move(before));
  out.evaluated = true;
  out.decided_at = last;
  out.reason = verdict.reason;
  static constexpr const char* kResults[] = {"false", "true", "permit", "refuse", "nil", "error: ", "error: "};
  out.result = kResults[static_cast<size_t>(answer)] + verdict.errors;
  const rule::Rule::Kind kind = book().rules()[number].kind;
  out.applies = answer == Answer::kYes || answer == Answer::kPermit || answer == Answer::kRefuse ||
                (answer >= Answer::kFailed && kind != rule::Rule::Kind::kAllow);
  for (size_t i = 0; i < reader.windowSize(); ++i) {
    const auto read = reader.windowRead(i);
    const auto value = reader.peek(read.attr, read.key);
    std::string text(policy::name(read.attr));
    if (policy::keyed(read.attr)) text += "." + std::string(read.key);
    if (value.state == policy::AttrValue::State::kAbsent) text += " is absent";
    else if (!value.present()) text += ": " + std::string(value.text);
    else if (value.type == policy::AttrValue::Type::kFlag) text += value.number != 0 ? " = true" : " = false";
    else if (value.type == policy::AttrValue::Type::kNumber) text += " = " + std::to_string(value.number);
    else if (read.attr != policy::Attr::kBodyJson) text += " = " + std::string(value.text);
    out.reads.push_back(std::move(text));
  }
}

std::set<std::pair<std::string, int>> LuaEvaluator::codeLines() {
  std::set<std::pair<std::string, int>> out;
  for (const int reference : conditions_) {
    if (reference == 0) continue;
    (void)state_->run([&](lua_State* L) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
      if (lua_iscfunction(L, -1) != 0) return;
      lua_Debug info;
      std::set<int> lines;
      lua_getinfo(L, ">SL", &info);
      for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) lines.insert(static_cast<int>(lua_tointeger(L, -2)));
      if (lines.size() > 1) lines.erase(info.lastlinedefined);  // the `end`, which a return never reaches
      for (const int line : lines) out.emplace(info.short_src, line);
    });
  }
  return out;
}

}  // namespace yett::lua
