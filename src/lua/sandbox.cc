#include "lua/sandbox.h"

#include <algorithm>
#include <initializer_list>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "lua/decode.h"
#include "lua/document.h"
#include "lua/freeze.h"
#include "lua/patterns.h"
#include "lua/state.h"
#include "lua/tables.h"

namespace yett::lua {
namespace {

size_t checkLength(lua_State* L, size_t size) {
  if (size > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
  return size;
}

// Charges for the strings among the arguments, then calls the function kept as upvalue 1.
int charged(lua_State* L) {
  uint64_t bytes = 0;
  for (int i = 1; i <= lua_gettop(L); ++i) {
    if (lua_type(L, i) == LUA_TNUMBER) continue;
    if (lua_type(L, i) == LUA_TSTRING) bytes += checkLength(L, lua_rawlen(L, i));
  }
  LuaState::of(L).charge(1 + bytes / 16 + static_cast<uint64_t>(lua_gettop(L)) / 4);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

// Like `charged`, for functions whose arguments from position upvalue 2 on are all numbers: rejects strings that look
// like numbers.
int withNumbers(lua_State* L) {
  const auto first = static_cast<int>(lua_tointeger(L, lua_upvalueindex(2)));
  for (int i = first; i <= lua_gettop(L); ++i) {
    if (lua_type(L, i) == LUA_TSTRING) luaL_argerror(L, i, "number expected, got string");
  }
  return charged(L);
}

// Thousands of values at once would slow down every instruction that passes them on.
int stringByte(lua_State* L) {
  constexpr lua_Integer kMaxBytes = 4000;
  luaL_checktype(L, 1, LUA_TSTRING);
  const lua_Integer from = luaL_optinteger(L, 2, 1);
  const lua_Integer to = luaL_optinteger(L, 3, from);
  const auto size = static_cast<lua_Integer>(lua_rawlen(L, 1));
  const auto place = [&](lua_Integer i) {
    return i < 0 ? std::max<lua_Integer>(size + i + 1, 1) : std::min(i, size + 1);
  };
  if (place(to) - place(from) >= kMaxBytes)
    luaL_error(L, "string.byte: more than %d values", static_cast<int>(kMaxBytes));
  return withNumbers(L);
}

int stringRep(lua_State* L) {
  luaL_checktype(L, 2, LUA_TNUMBER);
  const size_t size = lua_rawlen(L, (luaL_checktype(L, 1, LUA_TSTRING), 1));
  const lua_Integer n = luaL_checkinteger(L, 2);
  const size_t separator = lua_isnoneornil(L, 3) ? 0 : lua_rawlen(L, (luaL_checktype(L, 3, LUA_TSTRING), 3));
  // The stock function loops n times even if each iteration adds nothing.
  if (n <= 0 || size + separator == 0) return lua_pushliteral(L, ""), 1;
  const auto times = static_cast<size_t>(n);
  checkLength(L, times > kLongestString ? kLongestString + 1 : (size + separator) * times);
  return charged(L);
}

// Numeric conversions take numbers, not strings that look like numbers.
void checkNumbers(lua_State* L, std::string_view format) {
  int argument = 1;
  for (size_t i = 0; i + 1 < format.size(); ++i) {
    if (format[i] != '%') continue;
    for (++i; i < format.size() && std::string_view("-+ #0123456789.").find(format[i]) != std::string_view::npos; ++i) {
    }
    if (i >= format.size() || format[i] == '%') continue;
    ++argument;
    if (std::string_view("diuoxXcaAeEfFgG").find(format[i]) != std::string_view::npos &&
        lua_type(L, argument) == LUA_TSTRING)
      luaL_argerror(L, argument, "number expected, got string");
  }
}

// Rejects %p and tables, which would print addresses that differ between states; then `charged` formats.
int stringFormat(lua_State* L) {
  size_t size = 0;
  const char* format = luaL_checklstring(L, 1, &size);
  for (size_t i = 0; i + 1 < size; ++i) {
    if (format[i] != '%') continue;
    for (++i; i < size && !((format[i] | 0x20) >= 'a' && (format[i] | 0x20) <= 'z') && format[i] != '%'; ++i) {
    }
    if (i < size && format[i] == 'p') luaL_error(L, "format `%%p` is not available");
  }
  checkNumbers(L, {format, size});
  for (int i = 2; i <= lua_gettop(L); ++i) {
    const int type = lua_type(L, i);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TNIL)
      luaL_argerror(L, i, "string, number or boolean expected");
  }
  return charged(L);
}

int safePcall(lua_State* L) {
  luaL_checkany(L, 1);
  LuaState::of(L).charge(20);
  const int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  LuaState::of(L).charge(status == LUA_OK ? 1 : 150);  // unwinding a failed call is slow; raises again if the
                                                       // budget is used up: nothing in Lua can hide that
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

// Parts of documents are used like tables.
int typeOf(lua_State* L) {
  luaL_checkany(L, 1);
  lua_pushstring(L, isDocument(L, 1) ? "table" : luaL_typename(L, 1));
  return 1;
}

// s.name: the string methods. A string in place of an expected object has no fields, and returning nil would compare
// equal to any other missing value, so this is an error.
int stringIndex(lua_State* L) {
  std::string key = luaL_typename(L, 2);
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    const std::string_view name(lua_tostring(L, 2), lua_rawlen(L, 2));
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL && LuaState::of(L).callsMethod(L, name)) return 1;
    key = name.substr(0, 64);
  }
  luaL_where(L, 1);
  LuaState::of(L).abort(std::string(lua_tostring(L, -1)) + "a string has no `" + key + "`");
}

// String methods (s:upper()) are the functions of the library on top of the stack; the stock metatable would also turn
// strings into numbers. Other names go to stringIndex.
void setStringMethods(lua_State* L) {
  const int library = lua_gettop(L);
  lua_pushliteral(L, "");
  lua_newtable(L);  // the metatable of strings
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, library) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_newtable(L);  // the metatable of the methods
  lua_pushvalue(L, library);
  lua_pushcclosure(L, stringIndex, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_settop(L, library);
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
    default: return typeOf(L);  // no addresses: they differ between workers
  }
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

// Copies `names` from the stock library at index `from` to the table on top, each wrapped so that calls are charged.
void takeNumeric(lua_State* L, int from, std::initializer_list<const char*> names, int first) {
  for (const char* name : names) {
    lua_getfield(L, from, name);
    lua_pushinteger(L, first);
    lua_pushcclosure(L, withNumbers, 2);
    lua_setfield(L, -2, name);
  }
}
void take(lua_State* L, int from, std::initializer_list<const char*> names, lua_CFunction wrapper) {
  for (const char* name : names) {
    lua_getfield(L, from, name);
    if (wrapper != nullptr) lua_pushcclosure(L, wrapper, 1);
    lua_setfield(L, -2, name);
  }
}

}  // namespace

void openSandbox(lua_State* L) {
  const int globals = lua_gettop(L);
  openDocuments(L);
  luaL_requiref(L, "_G", luaopen_base, 0);
  const int stock = lua_gettop(L);
  for (const char* name : {"assert", "error", "select", "tonumber"}) {
    lua_getfield(L, stock, name);
    const std::string_view word(name);
    if (word != "error") lua_pushcclosure(L, charged, 1);
    lua_setfield(L, globals, name);
  }
  const luaL_Reg own[] = {
      {"pcall", safePcall},   {"tostring", safeToString}, {"pairs", sortedPairs}, {"ipairs", listPairs}, {"has", has},
      {"optional", optional}, {"type", typeOf},           {"kind", kindOf},       {nullptr, nullptr}};
  lua_pushvalue(L, globals);
  luaL_setfuncs(L, own, 0);
  lua_settop(L, globals);

  luaL_requiref(L, "string", luaopen_string, 0);
  lua_newtable(L);
  take(L, globals + 1, {"len", "upper", "lower", "reverse"}, charged);
  takeNumeric(L, globals + 1, {"sub"}, 2);
  lua_getfield(L, globals + 1, "byte");
  lua_pushinteger(L, 2);
  lua_pushcclosure(L, stringByte, 2);
  lua_setfield(L, -2, "byte");
  takeNumeric(L, globals + 1, {"char"}, 1);
  take(L, globals + 1, {"rep"}, stringRep);
  take(L, globals + 1, {"format"}, stringFormat);
  takePatternFunctions(L);
  frozenLibrary(L, globals, "string");
  lua_getfield(L, globals, "string");
  pushBehind(L, -1);
  setStringMethods(L);
  lua_settop(L, globals);

  luaL_requiref(L, "table", luaopen_table, 0);
  lua_newtable(L);
  takeTableFunctions(L, globals + 1);
  frozenLibrary(L, globals, "table");
  lua_settop(L, globals);

  luaL_requiref(L, "math", luaopen_math, 0);
  lua_newtable(L);
  take(L, globals + 1, {"type", "huge", "pi", "maxinteger", "mininteger"}, nullptr);
  takeNumeric(L, globals + 1, {"abs", "ceil", "floor", "fmod", "max", "min", "modf", "sqrt", "tointeger", "ult"}, 1);
  frozenLibrary(L, globals, "math");
  lua_settop(L, globals);

  openDecoders(L);
  luaL_requiref(L, "utf8", luaopen_utf8, 0);
  lua_newtable(L);
  take(L, globals + 1, {"char", "codepoint", "len", "offset"}, charged);
  frozenLibrary(L, globals, "utf8");
  lua_settop(L, globals);
}

void checkMethodCalls(lua_State* L) {
  const int top = lua_gettop(L);
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_getfield(L, -1, "__index");
  if (lua_istable(L, -1) && lua_getmetatable(L, -1) != 0) {
    lua_getfield(L, -1, "__index");
    lua_setfield(L, top + 2, "__index");
  }
  lua_settop(L, top);
}

}  // namespace yett::lua
