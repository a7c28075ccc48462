#include "lua/token.h"

#include <algorithm>
#include <lua.hpp>
#include <string>

#include "base/text.h"
#include "lua/document.h"
#include "lua/state.h"

namespace yett::lua {
namespace {

using policy::Attr;
using policy::AttrValue;
using State = AttrValue::State;

constexpr const char* kType = "yett.token";

// Its user value is the beginning of the attribute's key: "corp." or "corp.claims.".
struct Handle {
  policy::AttributeReader** reader;
  bool claims;
};

Handle& handleAt(lua_State* L, int index) {
  return *static_cast<Handle*>(luaL_checkudata(L, index, kType));
}

std::string_view textAt(lua_State* L, int index) {
  return {lua_tostring(L, index), lua_rawlen(L, index)};
}

[[noreturn]] void refuse(lua_State* L, const std::string& why) {
  luaL_where(L, 1);
  LuaState::of(L).abort(std::string(lua_tostring(L, -1)) + why);
}

void push(lua_State* L, policy::AttributeReader** reader, bool claims) {  // the prefix is on top
  auto* handle = static_cast<Handle*>(lua_newuserdatauv(L, sizeof(Handle), 1));
  *handle = {reader, claims};
  luaL_setmetatable(L, kType);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
}

// "token `corp.claims.groups` "
std::string describe(std::string_view key) {
  return "token `" + std::string(key.substr(0, 64)) + "` ";
}

// The attribute's key for the name at index 2; it stays on the stack.
std::string_view keyOf(lua_State* L, const Handle& handle) {
  if (lua_type(L, 2) != LUA_TSTRING) refuse(L, std::string("a token has nothing named by a ") + luaL_typename(L, 2));
  const std::string_view name = textAt(L, 2);
  if (!handle.claims) {
    auto known = tokenValueFields();
    known.push_back("claims");
    if (std::find(known.begin(), known.end(), name) == known.end())
      refuse(L, "a token has no `" + base::printable(name.substr(0, 64)) + "`" + base::didYouMean(name, known) +
                    ": what its issuer says is in `claims`");
  }
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_concat(L, 2);
  return textAt(L, -1);
}

bool namesClaims(lua_State* L, const Handle& handle) {
  return !handle.claims && textAt(L, 2) == "claims";
}

int index(lua_State* L) {
  const Handle handle = handleAt(L, 1);
  const std::string_view key = keyOf(L, handle);
  if (namesClaims(L, handle)) {
    lua_pushliteral(L, ".");
    lua_concat(L, 2);
    return push(L, handle.reader, true), 1;
  }
  const AttrValue value = (*handle.reader)->read(Attr::kJwt, key);
  if (value.state == State::kAbsent) refuse(L, describe(key) + "is absent: check with has() or use optional()");
  if (!value.present()) refuse(L, describe(key) + std::string(value.text));
  return pushValue(L, **handle.reader, value, key), 1;
}

int has(lua_State* L) {
  const Handle handle = handleAt(L, 1);
  const std::string_view key = keyOf(L, handle);
  if (namesClaims(L, handle)) return lua_pushboolean(L, 1), 1;
  const AttrValue value = (*handle.reader)->read(Attr::kJwt, key);
  if (value.state == State::kRefused || value.state == State::kError)
    refuse(L, describe(key) + std::string(value.text));
  lua_pushboolean(L, value.state != State::kAbsent);
  return 1;
}

int refuseAssign(lua_State* L) {
  return luaL_error(L, "a token cannot be changed by policy");
}

}  // namespace

void openTokens(lua_State* L) {
  luaL_newmetatable(L, kType);
  const luaL_Reg methods[] = {{"__index", index}, {"__newindex", refuseAssign}, {"__has", has}, {nullptr, nullptr}};
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}

void pushToken(lua_State* L, policy::AttributeReader** reader, std::string_view provider) {
  lua_pushlstring(L, provider.data(), provider.size());
  lua_pushliteral(L, ".");
  lua_concat(L, 2);
  push(L, reader, false);
}

void pushValue(lua_State* L, policy::AttributeReader& reader, const AttrValue& value, std::string_view key) {
  switch (value.type) {
    case AttrValue::Type::kText: lua_pushlstring(L, value.text.data(), value.text.size()); break;
    case AttrValue::Type::kNumber: lua_pushinteger(L, value.number); break;
    case AttrValue::Type::kFlag: lua_pushboolean(L, value.number != 0); break;
    case AttrValue::Type::kJson:
      LuaState::of(L).charge(20 + value.text.size() / 2);
      pushDocument(L, reader.jwtJson(key), "the token", true, true);
      break;
  }
}

std::vector<std::string_view> tokenValueFields() {
  return policy::tokenFields();
}

}  // namespace yett::lua
