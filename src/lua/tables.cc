#include "lua/tables.h"

#include <algorithm>
#include <lua.hpp>
#include <string_view>

#include "lua/document.h"
#include "lua/freeze.h"
#include "lua/state.h"

namespace yett::lua {
namespace {

constexpr lua_Integer kMaxUnpacked = 4000;

int nextPair(lua_State* L) {
  if (lua_tointeger(L, lua_upvalueindex(4)) != LuaState::of(L).serial())
    return luaL_error(L, "an iterator can be used only in the decision that created it");
  const lua_Integer i = lua_tointeger(L, lua_upvalueindex(3)) + 1;
  lua_pushinteger(L, i);
  lua_replace(L, lua_upvalueindex(3));
  if (lua_rawgeti(L, lua_upvalueindex(2), i) == LUA_TNIL) return 1;
  lua_pushvalue(L, -1);
  lua_gettable(L, lua_upvalueindex(1));
  return 2;
}

// Compares bytes: Lua's own comparison uses the locale, and runs once per NUL.
bool stringLess(lua_State* L, int a, int b) {
  const std::string_view x(lua_tostring(L, a), lua_rawlen(L, a));
  const std::string_view y(lua_tostring(L, b), lua_rawlen(L, b));
  LuaState::of(L).charge(std::min(x.size(), y.size()) / 16);
  return x < y;
}

// Less-than over keys: numbers before strings before booleans, each in its own order.
bool keyLess(lua_State* L, int a, int b) {
  const int ta = lua_type(L, a);
  const int tb = lua_type(L, b);
  if (ta != tb) return ta == LUA_TNUMBER || (ta == LUA_TSTRING && tb != LUA_TNUMBER);
  if (ta == LUA_TBOOLEAN) return lua_toboolean(L, a) < lua_toboolean(L, b);
  if (ta == LUA_TSTRING) return stringLess(L, a, b);
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

int nextItem(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);  // policy may call it with anything
  const auto i = static_cast<lua_Integer>(static_cast<lua_Unsigned>(lua_tointeger(L, 2)) + 1);  // may wrap around
  pushBehind(L, 1);
  lua_pushinteger(L, i);
  if (lua_rawgeti(L, -2, i) == LUA_TNIL) return 1;
  return 2;
}

// Calls the stock function kept as upvalue 1, charged for all elements: inserting and removing move them.
int moving(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  LuaState::of(L).charge(2 + static_cast<uint64_t>(luaL_len(L, 1)) / 4);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int concat(lua_State* L) {
  if (!isDocument(L, 1)) luaL_checktype(L, 1, LUA_TTABLE);
  size_t separator_size = 0;
  const char* separator = luaL_optlstring(L, 2, "", &separator_size);
  const lua_Integer first = luaL_optinteger(L, 3, 1);
  const lua_Integer last = lua_isnoneornil(L, 4) ? luaL_len(L, 1) : luaL_checkinteger(L, 4);
  size_t total = 0;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (lua_Integer i = first; i <= last; ++i) {
    lua_geti(L, 1, i);
    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
      luaL_error(L, "table.concat: element %d is not a string", static_cast<int>(i));
    size_t size = 0;
    lua_tolstring(L, -1, &size);
    total += size + separator_size;
    LuaState::of(L).charge(2 + size / 16);
    if (total > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
    luaL_addvalue(&buffer);
    if (i == last) break;  // it may be the largest integer
    luaL_addlstring(&buffer, separator, separator_size);
  }
  luaL_pushresult(&buffer);
  return 1;
}

int unpack(lua_State* L) {
  const lua_Integer first = luaL_optinteger(L, 2, 1);
  const lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
  const uint64_t more =
      static_cast<uint64_t>(last) - static_cast<uint64_t>(first);  // unsigned: the range may span all integers
  if (last >= first && more >= static_cast<uint64_t>(kMaxUnpacked))
    luaL_error(L, "table.unpack: more than %d values", static_cast<int>(kMaxUnpacked));
  LuaState::of(L).charge(1 + (last >= first ? more : 0));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

// Lua's own sort takes its pivot from the clock, so equal elements come out in a different order each time.
class HeapSort {
 public:
  HeapSort(lua_State* L, lua_Integer size) : L_(L), size_(size), compares_(!lua_isnil(L, 2)) {}

  void run() {
    for (lua_Integer root = size_ / 2; root >= 1; --root) sink(root, size_);
    for (lua_Integer size = size_; size > 1; --size) {
      lua_geti(L_, 1, 1);
      lua_geti(L_, 1, size);
      lua_seti(L_, 1, 1);
      lua_seti(L_, 1, size);
      sink(1, size - 1);
    }
  }

 private:
  // Compares the two values on top of the stack and keeps them there.
  bool less() {
    LuaState::of(L_).charge(3);
    if (!compares_ && lua_type(L_, -1) == LUA_TSTRING && lua_type(L_, -2) == LUA_TSTRING) return stringLess(L_, -2, -1);
    if (!compares_) return lua_compare(L_, -2, -1, LUA_OPLT) != 0;
    lua_pushvalue(L_, 2);
    lua_pushvalue(L_, -3);
    lua_pushvalue(L_, -3);
    lua_call(L_, 2, 1);
    const bool out = lua_toboolean(L_, -1) != 0;
    lua_pop(L_, 1);
    return out;
  }

  void sink(lua_Integer root, lua_Integer size) {
    for (;;) {
      lua_Integer child = root * 2;
      if (child > size) return;
      lua_geti(L_, 1, child);
      if (child < size) {
        lua_geti(L_, 1, child + 1);
        if (less()) {
          lua_remove(L_, -2);
          ++child;
        } else {
          lua_pop(L_, 1);
        }
      }
      lua_geti(L_, 1, root);
      lua_insert(L_, -2);  // root, child
      if (!less()) return lua_pop(L_, 2);
      lua_seti(L_, 1, root);
      lua_seti(L_, 1, child);
      root = child;
    }
  }

  lua_State* L_;
  const lua_Integer size_;
  const bool compares_;
};

int sort(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  const lua_Integer size = luaL_len(L, 1);
  LuaState::of(L).charge(2 + static_cast<uint64_t>(size));
  HeapSort(L, size).run();
  return 0;
}

}  // namespace

// pairs in sorted order: hash table order differs between states, but decisions must not.
int sortedPairs(lua_State* L) {
  if (isDocument(L, 1)) return documentPairs(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  LuaState::of(L).suspect(500);  // the number of empty slots to skip is unknown
  pushBehind(L, 1);              // 2
  lua_newtable(L);               // 3: keys
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
  lua_pushinteger(L, LuaState::of(L).serial());
  lua_pushcclosure(L, nextPair, 4);
  return 1;
}

int listPairs(lua_State* L) {
  if (isDocument(L, 1)) return documentIpairs(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushcfunction(L, nextItem);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  return 3;
}

void takeTableFunctions(lua_State* L, int stock) {
  const auto wrap = [&](const char* name, lua_CFunction wrapper) {
    lua_getfield(L, stock, name);
    lua_pushcclosure(L, wrapper, 1);
    lua_setfield(L, -2, name);
  };
  wrap("insert", moving);
  wrap("remove", moving);
  wrap("unpack", unpack);
  lua_pushcfunction(L, sort);
  lua_setfield(L, -2, "sort");
  lua_pushcfunction(L, concat);
  lua_setfield(L, -2, "concat");
  lua_getfield(L, stock, "pack");
  lua_setfield(L, -2, "pack");
}

}  // namespace yett::lua
