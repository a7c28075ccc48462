#include "lua/loader.h"

#include <algorithm>
#include <lua.hpp>

#include "base/text.h"
#include "lua/document.h"
#include "lua/duplicates.h"
#include "lua/fields.h"
#include "lua/freeze.h"
#include "lua/sandbox.h"
#include "lua/values.h"
#include "rule/rule_fields.h"

namespace yett::lua {
namespace {

const char kLoader = 0;     // registry key: the active loader
const char kBase = 0;       // registry key: the sandbox's names
const char kLibraries = 0;  // registry key: what `require` has loaded
constexpr size_t kMaxProblems = 100;
constexpr const char* kRuleType = "yett.rule";

// A name: a non-empty string without NUL, which would truncate it.
bool isName(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) return false;
  const std::string_view name(lua_tostring(L, index), lua_rawlen(L, index));
  return !name.empty() && name.size() <= 256 && name.find('\0') == std::string_view::npos;
}

}  // namespace

LuaLoader& LuaLoader::of(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kLoader);
  auto* loader = static_cast<LuaLoader*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  if (loader == nullptr) luaL_error(L, "policy, allow, deny, decide, data and require are for loading only");
  return *loader;
}

std::string LuaLoader::at(lua_State* L, int level) const {
  lua_Debug info;
  if (lua_getstack(L, level, &info) == 0 || lua_getinfo(L, "Sl", &info) == 0) return "?:0";
  return std::string(info.short_src) + ":" + std::to_string(info.currentline);
}

void LuaLoader::problem(const rule::Rule& rule, const std::string& what) {
  if (problems_.size() >= kMaxProblems) return;
  problems_.push_back(rule.position() + ": rule `" + base::printable(rule.name) + "`: " + what);
}

// policy "name" { rules }
int LuaLoader::onPolicy(lua_State* L) {
  LuaLoader& self = of(L);
  if (!isName(L, 1)) return luaL_error(L, "write policy \"name\" { rules }");
  if (self.loading_library_)
    return luaL_error(L, "a library cannot define a policy: put it into its own file at the top of the directory");
  lua_settop(L, 1);
  lua_pushcclosure(L, onPolicyBody, 1);
  return 1;
}

int LuaLoader::onPolicyBody(lua_State* L) {
  LuaLoader& self = of(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  const std::string name = lua_tostring(L, lua_upvalueindex(1));
  ++self.policies_;
  pushBehind(L, 1);
  lua_replace(L, 1);
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    const auto* index = static_cast<int*>(luaL_testudata(L, -1, kRuleType));
    if (index == nullptr || lua_type(L, -2) != LUA_TNUMBER) {
      const std::string key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "an entry";
      self.problems_.push_back(self.at(L, 1) + ": policy `" + base::printable(name) + "`: `" + base::printable(key) +
                               "` is not a rule: write allow \"name\" { ... }, deny \"name\" { ... } or decide(...)");
      continue;
    }
    rule::Rule& rule = self.rules_[static_cast<size_t>(*index)];
    if (self.in_policy_[static_cast<size_t>(*index)])
      self.problem(rule, "is in two policies, or twice in one: define a separate rule for each");
    rule.policy = name;
    self.in_policy_[static_cast<size_t>(*index)] = true;
  }
  return 0;
}

// allow "name" { fields }, deny "name" { fields }
int LuaLoader::onRule(lua_State* L) {
  LuaLoader& self = of(L);
  const bool allow = lua_toboolean(L, lua_upvalueindex(1)) != 0;
  if (!isName(L, 1)) return luaL_error(L, "write %s \"name\" { fields }", allow ? "allow" : "deny");
  lua_pushboolean(L, allow);
  lua_pushvalue(L, 1);
  lua_pushstring(L, self.at(L, 1).c_str());
  lua_pushcclosure(L, onRuleBody, 3);
  return 1;
}

int LuaLoader::onRuleBody(lua_State* L) {
  LuaLoader& self = of(L);
  makePlain(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  {
    rule::Rule rule;
    rule.kind = lua_toboolean(L, lua_upvalueindex(1)) != 0 ? rule::Rule::Kind::kAllow : rule::Rule::Kind::kDeny;
    rule.name = lua_tostring(L, lua_upvalueindex(2));
    place(rule, lua_tostring(L, lua_upvalueindex(3)));
    lua_settop(L, 1);
    readRuleTable(L, rule, self.conditions_, [&](const std::string& what) { self.problem(rule, what); });
    self.take(L, std::move(rule));
  }
  return 1;
}

// decide(function(r) ... end), decide("name", function(r) ... end)
int LuaLoader::onDecide(lua_State* L) {
  LuaLoader& self = of(L);
  const bool named = lua_gettop(L) == 2 && isName(L, 1);
  if (lua_type(L, named ? 2 : 1) != LUA_TFUNCTION || lua_gettop(L) != (named ? 2 : 1))
    return luaL_error(L, "write decide(function(r) ... end) or decide(\"name\", function(r) ... end)");
  {
    rule::Rule rule;
    rule.kind = rule::Rule::Kind::kDecide;
    rule.name = named ? lua_tostring(L, 1) : "decide";
    place(rule, self.at(L, 1));
    lua_settop(L, named ? 2 : 1);
    rule.condition = static_cast<int>(self.conditions_.size());
    self.conditions_.push_back(luaL_ref(L, LUA_REGISTRYINDEX));
    self.take(L, std::move(rule));
  }
  return 1;
}

void LuaLoader::place(rule::Rule& rule, const std::string& position) {
  const auto colon = position.rfind(':');
  rule.file = position.substr(0, colon);
  rule.line = std::atoi(position.c_str() + colon + 1);
}

// Leaves a value that represents the rule on the stack.
void LuaLoader::take(lua_State* L, rule::Rule rule) {
  if (rule.captures()) code_files_.insert(file_);
  auto* index = static_cast<int*>(lua_newuserdatauv(L, sizeof(int), 0));
  *index = static_cast<int>(rules_.size());
  luaL_setmetatable(L, kRuleType);
  rules_.push_back(std::move(rule));
  in_policy_.push_back(false);
}

int LuaLoader::onData(lua_State* L) {
  LuaLoader& self = of(L);
  const std::string name = luaL_checkstring(L, 1);
  self.wanted_files_.insert(name);
  const auto file = self.source_.files.find(name);
  if (file == self.source_.files.end())
    return luaL_error(L, "data: no file `%s` in the policy directory%s", name.c_str(),
                      policy::PolicySource::isLoadable(name) ? "" : ": document names must end in `.json`");
  LuaState::of(L).charge(file->second.size() / 4);
  auto entry = self.documents_.get(name, file->second);
  if (!entry) return luaL_error(L, "data: %s: %s", name.c_str(), entry.error().message.c_str());
  pushDocument(L, entry.value()->document.root(), entry.value()->name.c_str(), false, false);
  return 1;
}

int LuaLoader::onRequire(lua_State* L) {
  LuaLoader& self = of(L);
  const std::string module = luaL_checkstring(L, 1);
  std::string name = module;
  std::replace(name.begin(), name.end(), '.', '/');
  name += ".lua";
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kLibraries);
  if (lua_getfield(L, -1, name.c_str()) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  self.wanted_files_.insert(name);
  const auto file = self.source_.files.find(name);
  if (file == self.source_.files.end())
    return luaL_error(L, "require: no file `%s` in the policy directory", name.c_str());
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, name.c_str());  // a library that requires itself gets false, not an endless loop
  LuaState::compile(L, file->second, "@" + name);
  self.learnMethods(L, name, file->second);
  self.checkTables(name, file->second);
  self.pushEnvironment(L);
  lua_setupvalue(L, -2, 1);
  struct Guard {
    bool& flag;
    const bool before;
    ~Guard() { flag = before; }
  };
  {
    const Guard guard{self.loading_library_, self.loading_library_};
    self.loading_library_ = true;
    lua_call(L, 0, 1);
  }
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  // Read-only from now on: other files would see a file's changes, and an evaluator does not load all files.
  {
    const int value = lua_gettop(L);
    Freezer freezer(L);
    lua_pushvalue(L, value);
    freezer.value("a library", false);
    lua_replace(L, value);
    lua_settop(L, value);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, name.c_str());
  return 1;
}

// Each file has its own globals, so that the order of files does not matter.
void LuaLoader::pushEnvironment(lua_State* L) {
  lua_newtable(L);
  const int table = lua_gettop(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kBase);
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, table);
  }
  lua_pop(L, 1);
  makeGlobals(L);
}

// Must be called before the text runs.
void LuaLoader::learnMethods(lua_State* L, const std::string& name, const std::string& text) {
  MethodCalls calls(text);
  if (!calls.callsOnly()) checkMethodCalls(L);
  for (const auto& mixed : calls.mixed()) problems_.push_back(name + ":" + mixed);
  state_.knowMethods("@" + name, std::move(calls));
}

void LuaLoader::checkTables(const std::string& name, const std::string& text) {
  for (const auto& twice : duplicateFields(text)) {
    if (problems_.size() >= kMaxProblems) return;
    problems_.push_back(name + ":" + std::to_string(twice.line) + ": the field `" + base::printable(twice.name) +
                        "` appears twice in one table, first on line " + std::to_string(twice.first) +
                        ": only the last one would take effect");
  }
}

void LuaLoader::loadFile(const std::string& name) {
  if (spent_) return;  // reported once, where the budget ran out
  const std::string& text = source_.files.at(name);
  file_ = name;
  if (text.starts_with("\xef\xbb\xbf")) {
    failed_files_.insert(name);
    problems_.push_back(name + ":1: begins with a byte order mark: save the file as UTF-8 without one");
    return;
  }
  auto ran = state_.run([&](lua_State* L) {
    LuaState::compile(L, text, "@" + name);
    learnMethods(L, name, text);
    pushEnvironment(L);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
  });
  if (ran) return checkTables(name, text);
  const std::string& what = ran.error().message;
  if (state_.overBudget()) spent_ = true;
  failed_files_.insert(name);
  problems_.push_back(what.starts_with(name + ":") ? what : name + ": " + what);
}

// A rule outside any policy cannot be named; rule names in a policy must be unique.
void LuaLoader::checkPolicies() {
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!in_policy_[i] && !failed_files_.contains(rules_[i].file))
      problem(rules_[i], "is not in a policy: put it into policy \"name\" { ... }");
  }
  if (std::find(in_policy_.begin(), in_policy_.end(), false) == in_policy_.end()) rule::checkNames(rules_, problems_);
}

void LuaLoader::load(const std::set<std::string>* only, const policy::Budget& budget) {
  state_.begin(budget, LuaState::Purpose::kLoad);
  auto prepared = state_.run([&](lua_State* L) {
    lua_pushlightuserdata(L, this);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kLoader);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kLibraries);
    luaL_newmetatable(L, kRuleType);
    lua_pop(L, 1);
    lua_newtable(L);
    openSandbox(L);
    const luaL_Reg own[] = {
        {"policy", onPolicy}, {"decide", onDecide}, {"data", onData}, {"require", onRequire}, {nullptr, nullptr}};
    luaL_setfuncs(L, own, 0);
    for (const bool allow : {true, false}) {
      lua_pushboolean(L, allow);
      lua_pushcclosure(L, onRule, 1);
      lua_setfield(L, -2, allow ? "allow" : "deny");
    }
    openValues(L);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) globals_.insert(lua_tostring(L, -2));
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kBase);
  });
  if (!prepared) problems_.push_back(source_.directory + ": " + prepared.error().message);
  for (const auto& [name, text] : source_.files) {
    if (policy::PolicySource::isPolicyFile(name) && (only == nullptr || only->contains(name))) loadFile(name);
  }
  checkPolicies();
  if (policies_ == 0 && problems_.empty() && only == nullptr)
    problems_.push_back(source_.directory + ": contains no policy: define at least one");
  for (const auto& rule : rules_) {
    std::vector<int> functions(1, rule.condition);
    for (const auto& header : rule.computed) functions.push_back(header.function);
    for (const int function : functions) {
      if (function < 0) continue;
      auto frozen = state_.run([&](lua_State* L) {
        Freezer freezer(L);
        lua_rawgeti(L, LUA_REGISTRYINDEX, conditions_[static_cast<size_t>(function)]);
        freezer.value("a condition", false);
      });
      if (!frozen && !spent_) problem(rule, frozen.error().message);
      spent_ = spent_ || state_.overBudget();
    }
  }
  auto sealed = state_.run([](lua_State* L) {
    sealGlobals(L);
    valuesLoaded(L);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kLoader);
  });
  // A used-up budget has been reported already.
  if (!sealed && (problems_.empty() || (!spent_ && !state_.overBudget())))
    problems_.push_back(source_.directory + ": a global: " + sealed.error().message);
}

}  // namespace yett::lua
