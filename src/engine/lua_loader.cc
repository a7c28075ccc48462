#include "engine/lua_loader.h"

#include <algorithm>
#include <lua.hpp>

#include "base/json.h"
#include "base/text.h"
#include "engine/lua_freeze.h"
#include "engine/lua_sandbox.h"
#include "engine/rule_fields.h"

namespace yett::engine {
namespace {

const char kLoader = 0;     // registry key: the loader at work
const char kBase = 0;       // registry key: the sandbox's names
const char kLibraries = 0;  // registry key: what `require` has loaded
constexpr policy::Budget kLoadBudget{200'000'000, uint64_t{1} << 30};
constexpr const char* kRuleType = "yett.rule";

bool stringList(lua_State* L, int index, std::vector<std::string>& out) {
  if (lua_type(L, index) == LUA_TSTRING) {
    out.emplace_back(lua_tostring(L, index), lua_rawlen(L, index));
    return true;
  }
  if (lua_type(L, index) != LUA_TTABLE) return false;
  pushBehind(L, index);
  const int list = lua_gettop(L);
  const auto size = static_cast<lua_Integer>(lua_rawlen(L, list));
  lua_Integer seen = 0;
  for (lua_pushnil(L); lua_next(L, list) != 0; lua_pop(L, 1)) ++seen;
  for (lua_Integer i = 1; i <= size; ++i) {
    const bool text = lua_rawgeti(L, list, i) == LUA_TSTRING;
    if (text) out.emplace_back(lua_tostring(L, -1), lua_rawlen(L, -1));
    lua_pop(L, 1);
    if (!text) break;
  }
  lua_settop(L, list - 1);
  return seen == size && static_cast<lua_Integer>(out.size()) == size;
}

void pushJson(lua_State* L, const json::Value& value) {
  luaL_checkstack(L, 4, "a document nested too deep");
  switch (value.type) {
    case json::Value::Type::kNull: lua_pushnil(L); return;
    case json::Value::Type::kBool: lua_pushboolean(L, value.boolean); return;
    case json::Value::Type::kInt: lua_pushinteger(L, value.integer); return;
    case json::Value::Type::kDouble: lua_pushnumber(L, value.number); return;
    case json::Value::Type::kString: lua_pushlstring(L, value.text.data(), value.text.size()); return;
    case json::Value::Type::kArray:
      lua_createtable(L, static_cast<int>(value.items.size()), 0);
      for (size_t i = 0; i < value.items.size(); ++i) {
        pushJson(L, value.items[i]);
        lua_rawseti(L, -2, static_cast<lua_Integer>(i + 1));
      }
      return;
    case json::Value::Type::kObject:
      lua_createtable(L, 0, static_cast<int>(value.fields.size()));
      for (const auto& [name, item] : value.fields) {
        lua_pushlstring(L, name.data(), name.size());
        pushJson(L, item);
        lua_rawset(L, -3);
      }
      return;
  }
}

}  // namespace

LuaLoader& LuaLoader::of(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kLoader);
  auto* loader = static_cast<LuaLoader*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  if (loader == nullptr) luaL_error(L, "policy, allow, deny, data and require are for loading only");
  return *loader;
}

std::string LuaLoader::at(lua_State* L, int level) const {
  lua_Debug info;
  if (lua_getstack(L, level, &info) == 0 || lua_getinfo(L, "Sl", &info) == 0) return "?:0";
  return std::string(info.short_src) + ":" + std::to_string(info.currentline);
}

void LuaLoader::problem(const Rule& rule, const std::string& what) {
  problems_.push_back(rule.position() + ": rule `" + base::printable(rule.name) + "`: " + what);
}

// policy "name" { rules }
int LuaLoader::onPolicy(lua_State* L) {
  LuaLoader& self = of(L);
  if (lua_type(L, 1) != LUA_TSTRING || lua_rawlen(L, 1) == 0) return luaL_error(L, "write policy \"name\" { rules }");
  if (self.loading_library_)
    return luaL_error(L, "a library defines no policy: put it into a file of its own at the top");
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
                               "` is no rule: write allow \"name\" { ... } or deny \"name\" { ... }");
      continue;
    }
    self.rules_[static_cast<size_t>(*index)].policy = name;
    self.in_policy_[static_cast<size_t>(*index)] = true;
  }
  return 0;
}

// allow "name" { fields }, deny "name" { fields }
int LuaLoader::onRule(lua_State* L) {
  LuaLoader& self = of(L);
  const bool allow = lua_toboolean(L, lua_upvalueindex(1)) != 0;
  if (lua_type(L, 1) != LUA_TSTRING || lua_rawlen(L, 1) == 0)
    return luaL_error(L, "write %s \"name\" { fields }", allow ? "allow" : "deny");
  lua_pushboolean(L, allow);
  lua_pushvalue(L, 1);
  lua_pushstring(L, self.at(L, 1).c_str());
  lua_pushcclosure(L, onRuleBody, 3);
  return 1;
}

int LuaLoader::onRuleBody(lua_State* L) {
  LuaLoader& self = of(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  Rule rule;
  rule.allow = lua_toboolean(L, lua_upvalueindex(1)) != 0;
  rule.name = lua_tostring(L, lua_upvalueindex(2));
  const std::string position = lua_tostring(L, lua_upvalueindex(3));
  const auto colon = position.rfind(':');
  rule.file = position.substr(0, colon);
  rule.line = std::atoi(position.c_str() + colon + 1);
  self.readRule(L, rule);
  auto* index = static_cast<int*>(lua_newuserdatauv(L, sizeof(int), 0));
  *index = static_cast<int>(self.rules_.size());
  luaL_setmetatable(L, kRuleType);
  self.rules_.push_back(std::move(rule));
  self.in_policy_.push_back(false);
  return 1;
}

void LuaLoader::readRule(lua_State* L, Rule& rule) {
  pushBehind(L, 1);
  lua_replace(L, 1);
  std::vector<std::string> fields;
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) fields.emplace_back(lua_tostring(L, -2));
    else problem(rule, "has an entry without a name");
  }
  std::sort(fields.begin(), fields.end());
  for (const auto& field : fields) {
    lua_getfield(L, 1, field.c_str());
    readField(L, rule, field);
    lua_pop(L, 1);
  }
  if (auto ok = checkRule(rule); !ok) problem(rule, ok.error().message);
}

void LuaLoader::readField(lua_State* L, Rule& rule, const std::string& field) {
  const auto& known = ruleFieldNames();
  const int value = lua_gettop(L);
  const std::string type = luaL_typename(L, value);
  const auto fail = [&](const std::string& what) { problem(rule, "`" + field + "` " + what); };
  if (std::find(known.begin(), known.end(), field) == known.end()) {
    return problem(rule, "unknown field `" + base::printable(field) + "`" + base::didYouMean(field, known));
  }
  if (field == "when") {
    if (lua_type(L, value) != LUA_TFUNCTION) return fail("is a " + type + ", must be a function");
    lua_pushvalue(L, value);
    rule.condition = static_cast<int>(conditions_.size());
    conditions_.push_back(luaL_ref(L, LUA_REGISTRYINDEX));
  } else if (field == "reason" || field == "public_reason") {
    if (lua_type(L, value) != LUA_TSTRING) return fail("is a " + type + ", must be a string");
    if (auto ok = setText(rule, field, lua_tostring(L, value)); !ok) problem(rule, ok.error().message);
  } else if (field == "status") {
    if (!lua_isinteger(L, value)) return fail("is a " + type + ", must be a whole number");
    if (auto ok = setStatus(rule, lua_tointeger(L, value)); !ok) problem(rule, ok.error().message);
  } else if (field == "header") {
    if (lua_type(L, value) != LUA_TTABLE)
      return fail("is a " + type + ", must be a table: header = { [\"x-name\"] = \"value\" }");
    pushBehind(L, value);
    const int fields = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, fields) != 0; lua_pop(L, 1)) {
      std::vector<std::string> values;
      if (lua_type(L, -2) != LUA_TSTRING || !stringList(L, lua_gettop(L), values)) {
        fail("must give a string or a list of strings for each name");
      } else if (auto ok = addHeaderMatcher(rule, lua_tostring(L, -2), values); !ok) {
        fail(ok.error().message);
      }
    }
    lua_settop(L, value);
    if (rule.headers.empty()) fail("names no header, which would match everything");
    std::sort(rule.headers.begin(), rule.headers.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  } else {
    std::vector<std::string> values;
    if (!stringList(L, value, values)) return fail("is a " + type + ", must be a string or a list of strings");
    if (auto ok = setMatcher(rule, field, values); !ok) fail(ok.error().message);
  }
}

int LuaLoader::onData(lua_State* L) {
  LuaLoader& self = of(L);
  const std::string name = luaL_checkstring(L, 1);
  const auto file = self.source_.files.find(name);
  if (file == self.source_.files.end())
    return luaL_error(L, "data: no file `%s` in the policy directory", name.c_str());
  auto document = json::parse(file->second, false);
  if (!document) return luaL_error(L, "data: %s: %s", name.c_str(), document.error().message.c_str());
  Freezer freezer(L);
  pushJson(L, document.value());
  freezer.value(name.c_str(), true);
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
  const auto file = self.source_.files.find(name);
  if (file == self.source_.files.end())
    return luaL_error(L, "require: no file `%s` in the policy directory", name.c_str());
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, name.c_str());  // a library that requires itself gets false, not an endless loop
  if (luaL_loadbufferx(L, file->second.data(), file->second.size(), ("@" + name).c_str(), "t") != LUA_OK)
    return lua_error(L);
  self.pushEnvironment(L);
  lua_setupvalue(L, -2, 1);
  const bool before = self.loading_library_;
  self.loading_library_ = true;
  lua_call(L, 0, 1);
  self.loading_library_ = before;
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, name.c_str());
  return 1;
}

// Each file has names of its own, so that the order of files means nothing.
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

void LuaLoader::loadFile(const std::string& name) {
  const std::string& text = source_.files.at(name);
  auto ran = state_.run([&](lua_State* L) {
    if (luaL_loadbufferx(L, text.data(), text.size(), ("@" + name).c_str(), "t") != LUA_OK) lua_error(L);
    pushEnvironment(L);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
  });
  if (ran) return;
  const std::string& what = ran.error().message;
  problems_.push_back(what.starts_with(name + ":") ? what : name + ": " + what);
}

void LuaLoader::checkNames() {
  std::map<std::pair<std::string, std::string>, const Rule*> seen;
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (!in_policy_[i]) {
      problem(rule, "stands in no policy: put it into policy \"name\" { ... }");
      continue;
    }
    const auto [first, fresh] = seen.try_emplace({rule.policy, rule.name}, &rule);
    if (!fresh)
      problem(rule, "the policy `" + base::printable(rule.policy) + "` has a rule of this name already, at " +
                        first->second->position());
  }
}

void LuaLoader::load() {
  state_.begin(kLoadBudget, LuaState::Purpose::kLoad);
  auto prepared = state_.run([&](lua_State* L) {
    lua_pushlightuserdata(L, this);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kLoader);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kLibraries);
    luaL_newmetatable(L, kRuleType);
    lua_pop(L, 1);
    lua_newtable(L);
    openSandbox(L);
    const luaL_Reg own[] = {{"policy", onPolicy}, {"data", onData}, {"require", onRequire}, {nullptr, nullptr}};
    luaL_setfuncs(L, own, 0);
    for (const bool allow : {true, false}) {
      lua_pushboolean(L, allow);
      lua_pushcclosure(L, onRule, 1);
      lua_setfield(L, -2, allow ? "allow" : "deny");
    }
    for (const char* word : {"anyone", "authenticated"}) {
      lua_pushstring(L, word);
      lua_setfield(L, -2, word);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kBase);
  });
  if (!prepared) problems_.push_back(prepared.error().message);
  for (const auto& [name, text] : source_.files) {
    if (PolicySource::isPolicyFile(name)) loadFile(name);
  }
  checkNames();
  if (policies_ == 0 && problems_.empty())
    problems_.push_back(source_.directory + ": holds no policy: a set without one is refused");
  for (const auto& rule : rules_) {
    if (rule.condition < 0) continue;
    auto frozen = state_.run([&](lua_State* L) {
      Freezer freezer(L);
      lua_rawgeti(L, LUA_REGISTRYINDEX, conditions_[static_cast<size_t>(rule.condition)]);
      freezer.value("a condition", false);
    });
    if (!frozen) problem(rule, frozen.error().message);
  }
  auto sealed = state_.run([](lua_State* L) {
    sealGlobals(L);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kLoader);
  });
  if (!sealed) problems_.push_back(sealed.error().message);
}

}  // namespace yett::engine
