#include "lua/freeze.h"

#include <algorithm>
#include <lua.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "lua/bytecode.h"
#include "lua/state.h"

namespace yett::lua {
namespace {

const char kFrozen = 0;   // metatable key: the table behind a proxy
const char kGlobals = 0;  // metatable key: the store of a file's globals
const char kSealed = 0;   // registry key: loading is over
const char kStores = 0;   // registry key: list of all stores

constexpr int kDeepest = 150;

int refuseWrite(lua_State* L) {
  return luaL_error(L, "%s cannot be changed: policy code keeps no state", lua_tostring(L, lua_upvalueindex(1)));
}

int strictIndex(lua_State* L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  std::string key = luaL_typename(L, 2);
  if (lua_type(L, 2) == LUA_TSTRING) key = std::string(lua_tostring(L, 2)).substr(0, 64);
  if (lua_type(L, 2) == LUA_TNUMBER) key = luaL_tolstring(L, 2, nullptr);
  luaL_where(L, 1);
  LuaState::of(L).abort(std::string(lua_tostring(L, -1)) + lua_tostring(L, lua_upvalueindex(2)) + " has no `" + key +
                        "`: check with has() or use optional()");
}

int frozenLength(lua_State* L) {
  lua_pushinteger(L, static_cast<lua_Integer>(lua_rawlen(L, lua_upvalueindex(1))));
  return 1;
}

int globalIndex(lua_State* L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "unknown name of type %s", luaL_typename(L, 2));
  std::vector<std::string_view> known;
  for (lua_pushnil(L); lua_next(L, lua_upvalueindex(1)) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) known.emplace_back(lua_tostring(L, -2), lua_rawlen(L, -2));
  }
  LuaState::of(L).charge(10 * known.size());
  std::sort(known.begin(), known.end());  // the order of a table differs between states
  const std::string name = std::string(lua_tostring(L, 2)).substr(0, 64);
  return luaL_error(L, "unknown name `%s`%s", name.c_str(), base::didYouMean(name, known).c_str());
}

int globalAssign(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kSealed);
  if (lua_toboolean(L, -1)) return luaL_error(L, "a global cannot be changed: policy code keeps no state");
  lua_settop(L, 3);
  lua_rawset(L, lua_upvalueindex(1));
  return 0;
}

bool hasMark(lua_State* L, int index, const char* mark) {
  if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index) == 0) return false;
  const bool marked = lua_rawgetp(L, -1, mark) != LUA_TNIL;
  lua_pop(L, 2);
  return marked;
}

}  // namespace

Freezer::Freezer(lua_State* L) : L_(L) {
  lua_newtable(L);  // table -> its proxy
  cache_ = lua_gettop(L);
}

void Freezer::enter() {
  if (++depth_ > kDeepest) luaL_error(L_, "a value nested more than %d deep", kDeepest);
  luaL_checkstack(L_, 10, "a value nested too deep");
  LuaState::of(L_).charge(4);
}

void Freezer::value(const char* what, bool strict) {
  switch (lua_type(L_, -1)) {
    case LUA_TSTRING:
      if (lua_rawlen(L_, -1) > kLongestString)
        luaL_error(L_, "a string over %d bytes", static_cast<int>(kLongestString));
      return;
    case LUA_TFUNCTION:
      if (lua_iscfunction(L_, -1) == 0) function();
      return;
    case LUA_TTABLE:
      if (hasMark(L_, -1, &kFrozen) || hasMark(L_, -1, &kGlobals)) return;
      return table(what, strict);
    default: return;
  }
}

void Freezer::table(const char* what, bool strict) {
  enter();
  const int real = lua_gettop(L_);
  lua_pushvalue(L_, real);
  if (lua_rawget(L_, cache_) == LUA_TTABLE) {
    lua_replace(L_, real);
    --depth_;
    return;
  }
  lua_pop(L_, 1);
  lua_newtable(L_);  // the proxy
  const int proxy = lua_gettop(L_);
  lua_newtable(L_);  // its metatable
  lua_pushvalue(L_, real);
  lua_rawsetp(L_, -2, &kFrozen);
  lua_pushvalue(L_, real);
  if (strict) {
    lua_pushstring(L_, what);
    lua_pushcclosure(L_, strictIndex, 2);
  }
  lua_setfield(L_, -2, "__index");
  lua_pushstring(L_, what);
  lua_pushcclosure(L_, refuseWrite, 1);
  lua_setfield(L_, -2, "__newindex");
  lua_pushvalue(L_, real);
  lua_pushcclosure(L_, frozenLength, 1);
  lua_setfield(L_, -2, "__len");
  lua_setmetatable(L_, proxy);
  lua_pushvalue(L_, real);
  lua_pushvalue(L_, proxy);
  lua_rawset(L_, cache_);  // before the fields: one of them may be the table itself
  for (lua_pushnil(L_); lua_next(L_, real) != 0;) {
    lua_pushvalue(L_, -2);
    value(what, strict);
    lua_pop(L_, 1);
    value(what, strict);
    lua_pushvalue(L_, -2);
    lua_insert(L_, -2);
    lua_rawset(L_, real);  // assigning to a field that exists is allowed during traversal
  }
  lua_settop(L_, proxy);
  lua_replace(L_, real);
  --depth_;
}

void Freezer::function() {
  const int function = lua_gettop(L_);
  if (!functions_.insert(lua_topointer(L_, function)).second) return;
  enter();
  const std::string assigned = assignedUpvalue(L_);
  if (!assigned.empty()) {
    lua_Debug info;
    lua_pushvalue(L_, function);
    lua_getinfo(L_, ">S", &info);
    luaL_error(L_, "the function at %s:%d assigns to the outer local `%s`: policy code keeps no state", info.short_src,
               info.linedefined, assigned.c_str());
  }
  for (int i = 1; lua_getupvalue(L_, function, i) != nullptr; ++i) {
    value("a table of an outer local", false);
    lua_setupvalue(L_, function, i);
  }
  --depth_;
}

void pushBehind(lua_State* L, int index) {
  lua_pushvalue(L, index);
  if (lua_type(L, -1) != LUA_TTABLE || lua_getmetatable(L, -1) == 0) return;
  if (lua_rawgetp(L, -1, &kFrozen) == LUA_TTABLE) {
    lua_replace(L, -3);
    lua_pop(L, 1);
  } else {
    lua_pop(L, 2);
  }
}

void makeGlobals(lua_State* L) {
  const int store = lua_gettop(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kStores) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kStores);
  }
  lua_pushvalue(L, store);
  lua_rawseti(L, -2, static_cast<lua_Integer>(lua_rawlen(L, -2)) + 1);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushvalue(L, store);
  lua_rawsetp(L, -2, &kGlobals);
  lua_pushvalue(L, store);
  lua_pushcclosure(L, globalIndex, 1);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, store);
  lua_pushcclosure(L, globalAssign, 1);
  lua_setfield(L, -2, "__newindex");
  lua_setmetatable(L, -2);
  lua_replace(L, store);
}

void sealGlobals(lua_State* L) {
  Freezer freezer(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kStores) == LUA_TTABLE) {
    const int stores = lua_gettop(L);
    for (lua_Integer i = 1; lua_rawgeti(L, stores, i) == LUA_TTABLE; ++i) {
      const int store = lua_gettop(L);
      for (lua_pushnil(L); lua_next(L, store) != 0;) {
        freezer.value("a table of a global", false);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, store);
      }
      lua_settop(L, stores);
    }
  }
  lua_pushboolean(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kSealed);
}

void frozenLibrary(lua_State* L, int globals, const char* name) {
  const int library = lua_gettop(L);
  Freezer freezer(L);
  lua_pushvalue(L, library);
  freezer.value(name, false);
  lua_setfield(L, globals, name);
  lua_settop(L, library - 1);
}

}  // namespace yett::lua
