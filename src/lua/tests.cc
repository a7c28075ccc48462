#include "lua/tests.h"

#include <algorithm>
#include <lua.hpp>
#include <new>
#include <set>

#include "base/text.h"
#include "lua/document.h"
#include "lua/duplicates.h"
#include "lua/freeze.h"
#include "lua/json.h"
#include "lua/sandbox.h"
#include "lua/state.h"
#include "policy/data_documents.h"

namespace yett::lua {
namespace {

const char kCollector = 0;  // registry key: where the tests go
constexpr const char* kExpectType = "yett.expect";

struct Collector {
  const policy::PolicySource& source;
  std::vector<PolicyTest>& tests;
  std::vector<std::string>& problems;
  policy::DataDocuments documents = {};
};

Collector& collectorOf(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kCollector);
  auto* out = static_cast<Collector*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  return *out;
}

void pushExpectation(lua_State* L, Expectation expectation) {
  new (lua_newuserdatauv(L, sizeof(Expectation), 0)) Expectation(std::move(expectation));
  luaL_setmetatable(L, kExpectType);
}

// allowed "rule", denied "rule"
int nameRule(lua_State* L) {
  const auto& any = *static_cast<Expectation*>(luaL_checkudata(L, 1, kExpectType));
  luaL_checktype(L, 2, LUA_TSTRING);
  if (any.kind == Expectation::Kind::kRejected || any.by_default || !any.rule.empty())
    return luaL_error(L, "write allowed \"rule\" or denied \"rule\"");
  pushExpectation(L, {any.kind, false, lua_tostring(L, 2)});
  return 1;
}

// denied.by_default
int indexExpectation(lua_State* L) {
  const auto& any = *static_cast<Expectation*>(luaL_checkudata(L, 1, kExpectType));
  const std::string_view key = luaL_checkstring(L, 2);
  if (key != "by_default" || any.kind != Expectation::Kind::kDenied)
    return luaL_error(L, "there is no `%s` here: write denied.by_default", lua_tostring(L, 2));
  pushExpectation(L, {any.kind, true, ""});
  return 1;
}

int destroyExpectation(lua_State* L) {
  static_cast<Expectation*>(lua_touserdata(L, 1))->~Expectation();
  return 0;
}

void readField(lua_State* L, const std::string& field, PolicyTest& test) {
  if (field == "expect") {
    const auto* expect = static_cast<Expectation*>(luaL_testudata(L, -1, kExpectType));
    if (expect == nullptr)
      luaL_error(L,
                 "`expect` must be allowed, denied, denied.by_default, rejected, allowed \"rule\" or denied \"rule\"");
    test.expect = *expect;
  } else if (field == "sets") {
    const json::Value value = lua_type(L, -1) == LUA_TTABLE ? toJson(L, -1) : json::Value();
    const bool texts = std::all_of(value.fields.begin(), value.fields.end(),
                                   [](const auto& item) { return item.second.type == json::Value::Type::kString; });
    if (value.fields.empty() || !texts)
      luaL_error(L, "`sets` must be a table of headers and their values: { [\"x-user\"] = \"alice\" }");
    for (const auto& [name, item] : value.fields) test.sets.emplace_back(name, item.text);
  } else if (field == "http") {
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "`http` is a %s, must be a string", luaL_typename(L, -1));
    test.http.assign(lua_tostring(L, -1), lua_rawlen(L, -1));
  } else if (field == "request") {
    if (lua_type(L, -1) != LUA_TTABLE) luaL_error(L, "`request` is a %s, must be a table", luaL_typename(L, -1));
    json::Value value = toJson(L, -1);
    for (auto& [name, item] : value.fields) test.request.fields.emplace_back(name, std::move(item));
  } else {
    test.request.fields.emplace_back(field, toJson(L, -1));
  }
}

int testBody(lua_State* L) {
  Collector& collector = collectorOf(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  {
    PolicyTest test;
    test.name = lua_tostring(L, lua_upvalueindex(1));
    test.file = lua_tostring(L, lua_upvalueindex(2));
    test.line = static_cast<int>(lua_tointeger(L, lua_upvalueindex(3)));
    test.request.type = json::Value::Type::kObject;
    static constexpr std::string_view kKnown[] = {"http",      "request",     "expect", "principal", "source",
                                                  "time",      "destination", "sni",    "scheme",    "protocol",
                                                  "forwarder", "sets",        "jwt"};
    const bool has_request = lua_getfield(L, 1, "request") != LUA_TNIL;
    lua_pop(L, 1);
    bool expects = false;
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
      const std::string field = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
      if (std::find(std::begin(kKnown), std::end(kKnown), field) == std::end(kKnown))
        luaL_error(L, "test `%s`: unknown field `%s`%s", test.name.c_str(), field.c_str(),
                   base::didYouMean(field, kKnown).c_str());
      expects = expects || field == "expect";
      readField(L, field, test);
    }
    if (!expects) luaL_error(L, "test `%s`: `expect` is missing: every test must expect something", test.name.c_str());
    if (has_request != test.http.empty())
      luaL_error(L, "test `%s`: give either `http` or `request`", test.name.c_str());
    std::sort(test.request.fields.begin(), test.request.fields.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    collector.tests.push_back(std::move(test));
  }
  return 0;
}

// test "name" { fields }
int testNamed(lua_State* L) {
  if (lua_type(L, 1) != LUA_TSTRING || lua_rawlen(L, 1) == 0) return luaL_error(L, "write test \"name\" { fields }");
  lua_Debug info;
  lua_getstack(L, 1, &info);
  lua_getinfo(L, "Sl", &info);
  lua_pushvalue(L, 1);
  lua_pushstring(L, info.short_src);
  lua_pushinteger(L, info.currentline);
  lua_pushcclosure(L, testBody, 3);
  return 1;
}

int testData(lua_State* L) {
  const std::string name = luaL_checkstring(L, 1);
  const auto& files = collectorOf(L).source.files;
  const auto file = files.find(name);
  if (file == files.end()) return luaL_error(L, "data: no file `%s` in the policy directory", name.c_str());
  auto entry = collectorOf(L).documents.get(name, file->second);
  if (!entry) return luaL_error(L, "data: %s: %s", name.c_str(), entry.error().message.c_str());
  pushDocument(L, entry.value()->document.root(), entry.value()->name.c_str(), false, false);
  makePlain(L, -1);
  return 1;
}

void open(lua_State* L, Collector& collector) {
  lua_pushlightuserdata(L, &collector);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kCollector);
  luaL_newmetatable(L, kExpectType);
  const luaL_Reg methods[] = {
      {"__call", nameRule}, {"__index", indexExpectation}, {"__gc", destroyExpectation}, {nullptr, nullptr}};
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}

void pushNames(lua_State* L) {
  lua_newtable(L);
  openSandbox(L);
  const luaL_Reg functions[] = {{"test", testNamed}, {"data", testData}, {nullptr, nullptr}};
  luaL_setfuncs(L, functions, 0);
  const std::pair<const char*, Expectation::Kind> words[] = {{"allowed", Expectation::Kind::kAllowed},
                                                             {"denied", Expectation::Kind::kDenied},
                                                             {"rejected", Expectation::Kind::kRejected}};
  for (const auto& [word, kind] : words) {
    pushExpectation(L, {kind, false, ""});
    lua_setfield(L, -2, word);
  }
  makeGlobals(L);
}

}  // namespace

std::string Expectation::text() const {
  const char* words[] = {"allowed", "denied", "rejected"};
  std::string out = words[static_cast<size_t>(kind)];
  if (by_default) return out + ".by_default";
  return rule.empty() ? out : out + " \"" + rule + "\"";
}

std::vector<PolicyTest> loadTests(const policy::PolicySource& source, std::vector<std::string>& problems,
                                  policy::Budget budget) {
  std::vector<PolicyTest> tests;
  LuaState state;
  Collector collector{source, tests, problems};
  state.begin(budget, LuaState::Purpose::kLoad);
  (void)state.run([&](lua_State* L) { open(L, collector); });
  for (const auto& file : source.files) {
    const std::string& name = file.first;
    if (!name.ends_with("_test.lua")) continue;
    const auto ran = state.run([&](lua_State* L) {
      LuaState::compile(L, file.second, "@" + name);
      pushNames(L);
      lua_setupvalue(L, -2, 1);
      lua_call(L, 0, 0);
    });
    for (const auto& twice : ran ? duplicateFields(file.second) : std::vector<DuplicateField>()) {
      problems.push_back(name + ":" + std::to_string(twice.line) + ": the field `" + base::printable(twice.name) +
                         "` appears twice in one table, first on line " + std::to_string(twice.first));
    }
    if (ran) continue;
    const std::string& what = ran.error().message;
    problems.push_back(what.starts_with(name + ":") ? what : name + ": " + what);
  }
  std::set<std::pair<std::string, std::string>> names;
  for (const auto& test : tests) {
    if (!names.emplace(test.file, test.name).second)
      problems.push_back(test.file + ":" + std::to_string(test.line) + ": the test `" + test.name + "` appears twice");
  }
  return tests;
}

}  // namespace yett::lua
