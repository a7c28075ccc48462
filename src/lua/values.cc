#include "lua/values.h"

#include <lua.hpp>
#include <new>

#include "lua/document.h"
#include "lua/freeze.h"
#include "lua/state.h"
#include "policy/attribute.h"
#include "target/cidr.h"

namespace yett::lua {
namespace {

const char kAbsent = 0;  // its address is `absent`
const char kPermit = 0;  // their addresses represent the answers
const char kRefuse = 0;
const char kLoaded = 0;  // registry key: loading is over
constexpr const char* kRegexType = "yett.re";
constexpr const char* kCidrType = "yett.cidr";

struct CidrValue {
  target::Cidr range;
  std::string text;
};

std::string_view textAt(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TSTRING);
  return {lua_tostring(L, index), lua_rawlen(L, index)};
}

void checkLoading(lua_State* L, const char* what) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kLoaded);
  if (lua_toboolean(L, -1) != 0)
    luaL_error(L, "%s is for loading only: create it once, in a local outside the condition", what);
  lua_pop(L, 1);
}

// Moves the value to `out`, or pushes the error message: raise() needs the Result destroyed first.
template <typename Value>
bool take(lua_State* L, Result<Value> result, Value& out) {
  if (result) return out = std::move(result).value(), true;
  const std::string& message = result.error().message;
  lua_pushlstring(L, message.data(), message.size());
  return false;
}

int raise(lua_State* L) {
  luaL_where(L, 1);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

int makeRegex(lua_State* L) {
  checkLoading(L, "re");
  {
    target::Regex regex;
    if (take(L, target::Regex::compile(textAt(L, 1)), regex)) {
      LuaState::of(L).charge(200 + regex.worstSteps(30));
      new (lua_newuserdatauv(L, sizeof(target::Regex), 0)) target::Regex(std::move(regex));
      luaL_setmetatable(L, kRegexType);
      return 1;
    }
  }
  return raise(L);
}

int regexMatches(lua_State* L) {
  const auto& regex = *static_cast<target::Regex*>(luaL_checkudata(L, 1, kRegexType));
  const auto text = textAt(L, 2);
  LuaState::of(L).charge(5 + regex.worstSteps(text.size()) / 32);
  lua_pushboolean(L, regex.matches(text));
  return 1;
}

int makeCidr(lua_State* L) {
  checkLoading(L, "cidr");
  {
    CidrValue value;
    value.text = textAt(L, 1);
    if (take(L, target::Cidr::parse(value.text), value.range)) {
      new (lua_newuserdatauv(L, sizeof(CidrValue), 0)) CidrValue(std::move(value));
      luaL_setmetatable(L, kCidrType);
      return 1;
    }
  }
  return raise(L);
}

int cidrContains(lua_State* L) {
  const auto& cidr = *static_cast<CidrValue*>(luaL_checkudata(L, 1, kCidrType));
  LuaState::of(L).charge(5);
  {
    target::IpAddress address;
    if (take(L, target::IpAddress::parse(textAt(L, 2)), address)) {
      lua_pushboolean(L, cidr.range.contains(address));
      return 1;
    }
  }
  return raise(L);
}

template <typename Value>
int destroy(lua_State* L) {
  static_cast<Value*>(lua_touserdata(L, 1))->~Value();
  return 0;
}

// A type with methods, whose metatable policy code cannot see.
void makeType(lua_State* L, const char* name, const char* method, lua_CFunction function, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, method);
  Freezer freezer(L);
  lua_pushvalue(L, -2);
  freezer.value(name, true);
  lua_setfield(L, -4, "__index");
  lua_pop(L, 3);
}

int answer(lua_State* L) {
  const int said = lua_gettop(L);
  if (said > 2) return luaL_error(L, "too many arguments: permit(reason) or refuse(reason, public_reason)");
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  return said + 1;
}

}  // namespace

void openValues(lua_State* L) {
  const int to = lua_gettop(L);
  makeType(L, kRegexType, "matches", regexMatches, destroy<target::Regex>);
  makeType(L, kCidrType, "contains", cidrContains, destroy<CidrValue>);
  const luaL_Reg functions[] = {{"re", makeRegex}, {"cidr", makeCidr}, {nullptr, nullptr}};
  lua_settop(L, to);
  luaL_setfuncs(L, functions, 0);
  for (const char* key : {&kPermit, &kRefuse}) {
    lua_pushlightuserdata(L, const_cast<char*>(key));
    lua_pushcclosure(L, answer, 1);
    lua_setfield(L, to, key == &kPermit ? "permit" : "refuse");
  }
  lua_pushlightuserdata(L, const_cast<char*>(&kAbsent));
  lua_setfield(L, to, "absent");
  for (const char* word : {"anyone", "authenticated"}) {
    lua_pushstring(L, word);
    lua_setfield(L, to, word);
  }
}

void valuesLoaded(lua_State* L) {
  lua_pushboolean(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kLoaded);
}

bool fieldValue(lua_State* L, int index, rule::FieldValue& out, bool scalars) {
  if (lua_type(L, index) == LUA_TSTRING) {
    out.text.assign(lua_tostring(L, index), lua_rawlen(L, index));
    return true;
  }
  if (const auto* regex = static_cast<target::Regex*>(luaL_testudata(L, index, kRegexType))) {
    out.regex = *regex;
    return true;
  }
  if (const auto* cidr = static_cast<CidrValue*>(luaL_testudata(L, index, kCidrType))) {
    out.text = cidr->text;
    return true;
  }
  if (scalars && (lua_isinteger(L, index) != 0 || lua_type(L, index) == LUA_TBOOLEAN)) {
    const bool flag = lua_type(L, index) == LUA_TBOOLEAN;
    out.type = flag ? policy::AttrValue::Type::kFlag : policy::AttrValue::Type::kNumber;
    out.text = flag ? (lua_toboolean(L, index) != 0 ? "true" : "false") : std::to_string(lua_tointeger(L, index));
    return true;
  }
  if (lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &kAbsent) return out.absent = true;
  return false;
}

bool fieldValues(lua_State* L, int index, std::vector<rule::FieldValue>& out, bool scalars) {
  if (fieldValue(L, index, out.emplace_back(), scalars)) return true;
  out.pop_back();
  if (isDocument(L, index)) {
    lua_pushvalue(L, index);
    makePlain(L, -1);
    const bool good = fieldValues(L, lua_gettop(L), out, scalars);
    lua_pop(L, 1);
    return good;
  }
  if (lua_type(L, index) != LUA_TTABLE) return false;
  pushBehind(L, index);
  const int list = lua_gettop(L);
  const auto size = static_cast<lua_Integer>(lua_rawlen(L, list));
  lua_Integer seen = 0;
  for (lua_pushnil(L); lua_next(L, list) != 0; lua_pop(L, 1)) ++seen;
  bool good = seen == size;
  for (lua_Integer i = 1; i <= size && good; ++i) {
    lua_rawgeti(L, list, i);
    good = fieldValue(L, -1, out.emplace_back(), scalars);
    lua_pop(L, 1);
  }
  lua_settop(L, list - 1);
  return good;
}

ProgramAnswer programAnswer(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TLIGHTUSERDATA) return ProgramAnswer::kNone;
  const void* said = lua_touserdata(L, index);
  return said == &kPermit ? ProgramAnswer::kPermit : said == &kRefuse ? ProgramAnswer::kRefuse : ProgramAnswer::kNone;
}

}  // namespace yett::lua
