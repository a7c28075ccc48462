#include "engine/lua_sandbox.h"

#include <algorithm>
#include <initializer_list>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "engine/lua_state.h"

namespace yett::engine {
namespace {

constexpr size_t kLongestString = 64 << 10;
constexpr int kDeepest = 60;
const char kSealed = 0;  // registry key: globals are read-only by now
const char kFrozen = 1;  // metatable key: the table behind a proxy

size_t checkLength(lua_State* L, size_t size) {
  if (size > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
  return size;
}

// The real table behind a read-only proxy, or the value itself.
void pushBehind(lua_State* L, int index) {
  lua_pushvalue(L, index);
  if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index) == 0) return;
  if (lua_rawgetp(L, -1, &kFrozen) == LUA_TTABLE) {
    lua_replace(L, -3);
    lua_pop(L, 1);
  } else {
    lua_pop(L, 2);
  }
}

// Charges for the strings among the arguments, then calls the function kept as upvalue 1.
int charged(lua_State* L) {
  uint64_t bytes = 0;
  for (int i = 1; i <= lua_gettop(L); ++i) {
    if (lua_type(L, i) == LUA_TNUMBER) continue;
    if (lua_type(L, i) == LUA_TSTRING) bytes += checkLength(L, lua_rawlen(L, i));
  }
  LuaState::of(L).charge(1 + bytes / 16);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int stringRep(lua_State* L) {
  const size_t size = lua_rawlen(L, (luaL_checktype(L, 1, LUA_TSTRING), 1));
  const lua_Integer n = luaL_checkinteger(L, 2);
  const size_t separator = lua_isnoneornil(L, 3) ? 0 : lua_rawlen(L, (luaL_checktype(L, 3, LUA_TSTRING), 3));
  if (n > 0 && (size + separator) > 0)
    checkLength(
        L, static_cast<size_t>(n) > kLongestString ? kLongestString + 1 : (size + separator) * static_cast<size_t>(n));
  return charged(L);
}

// %p and tables would print addresses, which differ from state to state; `charged` then formats.
int stringFormat(lua_State* L) {
  size_t size = 0;
  const char* format = luaL_checklstring(L, 1, &size);
  for (size_t i = 0; i + 1 < size; ++i) {
    if (format[i] != '%') continue;
    for (++i; i < size && !((format[i] | 0x20) >= 'a' && (format[i] | 0x20) <= 'z') && format[i] != '%'; ++i) {
    }
    if (i < size && format[i] == 'p') luaL_error(L, "format `%%p` is not available");
  }
  for (int i = 2; i <= lua_gettop(L); ++i) {
    const int type = lua_type(L, i);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TNIL)
      luaL_argerror(L, i, "string, number or boolean expected");
  }
  return charged(L);
}

// Without patterns: a pattern's cost has no bound that the budget could see.
int stringFind(lua_State* L) {
  size_t size = 0;
  size_t wanted_size = 0;
  const std::string_view text(luaL_checklstring(L, 1, &size), lua_rawlen(L, 1));
  const std::string_view wanted(luaL_checklstring(L, 2, &wanted_size), lua_rawlen(L, 2));
  lua_Integer from = luaL_optinteger(L, 3, 1);
  if (from < 0) from = std::max<lua_Integer>(1, static_cast<lua_Integer>(size) + from + 1);
  if (!lua_toboolean(L, 4) && wanted.find_first_of("^$*+?.([%-") != std::string_view::npos) {
    luaL_error(L, "string.find takes no patterns: call find(s, text, 1, true) for plain text, or use a matcher");
  }
  LuaState::of(L).charge(1 + size / 16 + (size / 64) * (wanted_size / 16));
  const auto at = from < 1 ? std::string_view::npos : text.find(wanted, static_cast<size_t>(from - 1));
  if (at == std::string_view::npos) return lua_pushnil(L), 1;
  lua_pushinteger(L, static_cast<lua_Integer>(at + 1));
  lua_pushinteger(L, static_cast<lua_Integer>(at + wanted_size));
  return 2;
}

int tableMove(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  LuaState::of(L).charge(1 + lua_rawlen(L, 1) * 8);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int safePcall(lua_State* L) {
  luaL_checkany(L, 1);
  LuaState::of(L).charge(20);
  const int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  LuaState::of(L).reraise();
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

int safeToString(lua_State* L) {
  luaL_checkany(L, 1);
  switch (lua_type(L, 1)) {
    case LUA_TSTRING: lua_settop(L, 1); return 1;
    case LUA_TNUMBER:
      lua_settop(L, 1);
      lua_tostring(L, 1);
      return 1;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false"); return 1;
    default: lua_pushstring(L, luaL_typename(L, 1)); return 1;  // no addresses: they differ from worker to worker
  }
}

int nextPair(lua_State* L) {
  const lua_Integer i = lua_tointeger(L, lua_upvalueindex(3)) + 1;
  lua_pushinteger(L, i);
  lua_replace(L, lua_upvalueindex(3));
  if (lua_rawgeti(L, lua_upvalueindex(2), i) == LUA_TNIL) return 1;
  lua_pushvalue(L, -1);
  lua_gettable(L, lua_upvalueindex(1));
  return 2;
}

// Less-than over keys: numbers before strings before booleans, each in its own order.
bool keyLess(lua_State* L, int a, int b) {
  const int ta = lua_type(L, a);
  const int tb = lua_type(L, b);
  if (ta != tb) return ta == LUA_TNUMBER || (ta == LUA_TSTRING && tb != LUA_TNUMBER);
  if (ta == LUA_TBOOLEAN) return lua_toboolean(L, a) < lua_toboolean(L, b);
  return lua_compare(L, a, b, LUA_OPLT) == 1;
}

void siftDown(lua_State* L, int array, lua_Integer root, lua_Integer size) {
  for (;;) {
    lua_Integer child = root * 2;
    if (child > size) return;
    LuaState::of(L).charge(2);
    lua_rawgeti(L, array, child);
    if (child < size) {
      lua_rawgeti(L, array, child + 1);
      if (keyLess(L, -2, -1)) {
        lua_replace(L, -2);
        ++child;
      } else {
        lua_pop(L, 1);
      }
    }
    lua_rawgeti(L, array, root);
    if (!keyLess(L, -1, -2)) {
      lua_pop(L, 2);
      return;
    }
    lua_rawseti(L, array, child);
    lua_rawseti(L, array, root);
    root = child;
  }
}

// pairs in sorted order: the order of a hash table differs between states, and a decision must not.
int sortedPairs(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  pushBehind(L, 1);  // 2
  lua_newtable(L);   // 3: keys
  lua_Integer count = 0;
  for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
    LuaState::of(L).charge(2);
    const int type = lua_type(L, -2);
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TBOOLEAN)
      luaL_error(L, "pairs over a table whose keys have no order");
    lua_pushvalue(L, -2);
    lua_rawseti(L, 3, ++count);
  }
  for (lua_Integer root = count / 2; root >= 1; --root) siftDown(L, 3, root, count);
  for (lua_Integer size = count; size > 1; --size) {
    lua_rawgeti(L, 3, 1);
    lua_rawgeti(L, 3, size);
    lua_rawseti(L, 3, 1);
    lua_rawseti(L, 3, size);
    siftDown(L, 3, 1, size - 1);
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, nextPair, 3);
  return 1;
}

int has(lua_State* L) {
  luaL_checkany(L, 2);
  if (luaL_getmetafield(L, 1, "__has") != LUA_TNIL) {  // the request's tables
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    return 1;
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  pushBehind(L, 1);
  lua_pushvalue(L, 2);
  lua_pushboolean(L, lua_rawget(L, -2) != LUA_TNIL);
  return 1;
}

int optional(lua_State* L) {
  luaL_checkany(L, 3);
  lua_settop(L, 3);
  lua_pushcfunction(L, has);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  if (lua_toboolean(L, -1) == 0) return lua_pushvalue(L, 3), 1;
  lua_pushvalue(L, 2);
  lua_gettable(L, 1);
  return 1;
}

int refuseWrite(lua_State* L) {
  return luaL_error(L, "%s cannot be changed: policy code keeps no state", lua_tostring(L, lua_upvalueindex(1)));
}

int strictIndex(lua_State* L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  const char* what = lua_tostring(L, lua_upvalueindex(2));
  const std::string key = lua_type(L, 2) == LUA_TSTRING   ? lua_tostring(L, 2)
                          : lua_type(L, 2) == LUA_TNUMBER ? luaL_tolstring(L, 2, nullptr)
                                                          : luaL_typename(L, 2);
  luaL_where(L, 1);
  LuaState::of(L).abort(std::string(lua_tostring(L, -1)) + what + " has no `" + key +
                        "`: ask with has() or optional()");
}

int frozenLength(lua_State* L) {
  lua_pushinteger(L, static_cast<lua_Integer>(lua_rawlen(L, lua_upvalueindex(1))));
  return 1;
}

int globalIndex(lua_State* L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  return luaL_error(L, "unknown name `%s`", lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2));
}

int globalAssign(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kSealed);
  if (lua_toboolean(L, -1)) return luaL_error(L, "a global cannot be changed: policy code keeps no state");
  lua_settop(L, 3);
  lua_rawset(L, lua_upvalueindex(1));
  return 0;
}

// Moves `names` of the stock library `from` (a table at this index) to the table on top, each charged by `wrapper`.
void take(lua_State* L, int from, std::initializer_list<const char*> names, lua_CFunction wrapper) {
  for (const char* name : names) {
    lua_getfield(L, from, name);
    if (wrapper != nullptr) lua_pushcclosure(L, wrapper, 1);
    lua_setfield(L, -2, name);
  }
}

void frozenLibrary(lua_State* L, int globals, const char* name) {
  freeze(L, name, false);
  lua_setfield(L, globals, name);
}

}  // namespace

void openSandbox(lua_State* L) {
  const int globals = lua_gettop(L);
  luaL_requiref(L, "_G", luaopen_base, 0);
  const int stock = lua_gettop(L);
  for (const char* name : {"assert", "error", "ipairs", "select", "tonumber", "type"}) {
    lua_getfield(L, stock, name);
    if (std::string_view(name) == "tonumber") lua_pushcclosure(L, charged, 1);
    lua_setfield(L, globals, name);
  }
  const luaL_Reg own[] = {{"pcall", safePcall}, {"tostring", safeToString}, {"pairs", sortedPairs},
                          {"has", has},         {"optional", optional},     {nullptr, nullptr}};
  lua_pushvalue(L, globals);
  luaL_setfuncs(L, own, 0);
  lua_settop(L, globals);

  luaL_requiref(L, "string", luaopen_string, 0);
  lua_newtable(L);
  take(L, globals + 1, {"len", "sub", "upper", "lower", "byte", "char", "reverse"}, charged);
  take(L, globals + 1, {"rep"}, stringRep);
  take(L, globals + 1, {"format"}, stringFormat);
  lua_pushcfunction(L, stringFind);
  lua_setfield(L, -2, "find");
  frozenLibrary(L, globals, "string");
  // Methods of strings (s:upper()) are the same functions; the stock metatable would also turn strings into numbers.
  lua_pushliteral(L, "");
  lua_newtable(L);
  lua_getfield(L, globals, "string");
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_settop(L, globals);

  luaL_requiref(L, "table", luaopen_table, 0);
  lua_newtable(L);
  take(L, globals + 1, {"insert", "remove", "concat", "unpack", "sort"}, tableMove);
  lua_getfield(L, globals + 1, "pack");
  lua_setfield(L, -2, "pack");
  frozenLibrary(L, globals, "table");
  lua_settop(L, globals);

  luaL_requiref(L, "math", luaopen_math, 0);
  lua_newtable(L);
  take(L, globals + 1,
       {"abs", "ceil", "floor", "fmod", "max", "min", "modf", "sqrt", "tointeger", "type", "ult", "huge", "pi",
        "maxinteger", "mininteger"},
       nullptr);
  frozenLibrary(L, globals, "math");
  lua_settop(L, globals);

  luaL_requiref(L, "utf8", luaopen_utf8, 0);
  lua_newtable(L);
  take(L, globals + 1, {"char", "codepoint", "len", "offset"}, charged);
  frozenLibrary(L, globals, "utf8");
  lua_settop(L, globals);
}

static void freezeDeep(lua_State* L, const char* what, bool strict, int depth) {
  if (depth > kDeepest) luaL_error(L, "a table that contains itself or is nested more than %d deep", kDeepest);
  luaL_checkstack(L, 8, "freezing a deep table");
  if (lua_type(L, -1) != LUA_TTABLE) return;
  const int table = lua_gettop(L);
  if (lua_getmetatable(L, table) != 0) {
    const bool frozen = lua_rawgetp(L, -1, &kFrozen) != LUA_TNIL;
    lua_pop(L, 2);
    if (frozen) return;
  }
  for (lua_pushnil(L); lua_next(L, table) != 0;) {
    if (lua_type(L, -1) == LUA_TTABLE) {
      freezeDeep(L, what, strict, depth + 1);
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, table);  // assigning to a field that exists is allowed during traversal
    } else {
      lua_pop(L, 1);
    }
  }
  lua_newtable(L);  // the proxy
  lua_newtable(L);  // its metatable
  lua_pushvalue(L, table);
  lua_rawsetp(L, -2, &kFrozen);
  lua_pushvalue(L, table);
  if (strict) {
    lua_pushstring(L, what);
    lua_pushcclosure(L, strictIndex, 2);
  }
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, what);
  lua_pushcclosure(L, refuseWrite, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushvalue(L, table);
  lua_pushcclosure(L, frozenLength, 1);
  lua_setfield(L, -2, "__len");
  lua_setmetatable(L, -2);
  lua_replace(L, table);
}

void freeze(lua_State* L, const char* what, bool strict) {
  freezeDeep(L, what, strict, 0);
}

void makeGlobals(lua_State* L) {
  lua_newtable(L);
  lua_newtable(L);
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, globalIndex, 1);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, globalAssign, 1);
  lua_setfield(L, -2, "__newindex");
  lua_setmetatable(L, -2);
  lua_replace(L, -2);
}

void sealGlobals(lua_State* L) {
  lua_pushboolean(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kSealed);
}

}  // namespace yett::engine
