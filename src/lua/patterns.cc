#include "lua/patterns.h"

#include <algorithm>
#include <cstring>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "lua/pattern_matcher.h"
#include "lua/state.h"

namespace yett::lua {
namespace {

std::string_view textAt(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TSTRING);
  const std::string_view out(lua_tostring(L, index), lua_rawlen(L, index));
  if (out.size() > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
  return out;
}

// The 0-based offset where a search begins, or more than the text's size.
size_t startAt(lua_State* L, int index, size_t size) {
  lua_Integer from = luaL_optinteger(L, index, 1);
  if (from < 0) from = std::max<lua_Integer>(1, static_cast<lua_Integer>(size) + from + 1);
  if (from == 0) from = 1;
  return static_cast<size_t>(from - 1);
}

int findPlain(lua_State* L, std::string_view text, std::string_view wanted, size_t from) {
  LuaState::of(L).charge(1 + text.size() / 16 + (text.size() / 64) * (wanted.size() / 16));
  const auto at = text.find(wanted, from);
  if (at == std::string_view::npos) return lua_pushnil(L), 1;
  lua_pushinteger(L, static_cast<lua_Integer>(at) + 1);
  lua_pushinteger(L, static_cast<lua_Integer>(at) + static_cast<lua_Integer>(wanted.size()));
  return 2;
}

int search(lua_State* L, bool find) {
  const auto text = textAt(L, 1);
  auto pattern = textAt(L, 2);
  const size_t from = startAt(L, 3, text.size());
  LuaState::of(L).charge(2);
  if (from > text.size()) return lua_pushnil(L), 1;
  if (find && (lua_toboolean(L, 4) != 0 || pattern.find_first_of("^$*+?.([%-") == std::string_view::npos))
    return findPlain(L, text, pattern, from);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  PatternMatcher matcher(L, text, pattern);
  for (const char* s = text.data() + from; s <= text.data() + text.size(); ++s) {
    const char* e = matcher.matchAt(s, pattern.data());
    if (e != nullptr) {
      if (!find) return matcher.pushCaptures(s, e);
      lua_pushinteger(L, s - text.data() + 1);
      lua_pushinteger(L, e - text.data());
      return 2 + matcher.pushCaptures(nullptr, nullptr);
    }
    if (anchored) break;
  }
  return lua_pushnil(L), 1;
}

int stringFind(lua_State* L) {
  return search(L, true);
}
int stringMatch(lua_State* L) {
  return search(L, false);
}

// Upvalues: text, pattern, the offset to continue from, the offset where the last match ended (or -1), the decision.
int gmatchNext(lua_State* L) {
  if (lua_tointeger(L, lua_upvalueindex(5)) != LuaState::of(L).serial())
    return luaL_error(L, "an iterator can be used only in the decision that created it");
  const std::string_view text(lua_tostring(L, lua_upvalueindex(1)), lua_rawlen(L, lua_upvalueindex(1)));
  const std::string_view pattern(lua_tostring(L, lua_upvalueindex(2)), lua_rawlen(L, lua_upvalueindex(2)));
  const char* last = text.data() + lua_tointeger(L, lua_upvalueindex(4));
  PatternMatcher matcher(L, text, pattern);
  for (const char* s = text.data() + lua_tointeger(L, lua_upvalueindex(3)); s <= text.data() + text.size(); ++s) {
    const char* e = matcher.matchAt(s, pattern.data());
    if (e == nullptr || e == last) continue;
    for (const int upvalue : {3, 4}) {
      lua_pushinteger(L, e - text.data());
      lua_replace(L, lua_upvalueindex(upvalue));
    }
    return matcher.pushCaptures(s, e);
  }
  return 0;
}

int stringGmatch(lua_State* L) {
  const auto text = textAt(L, 1);
  textAt(L, 2);
  const size_t from = startAt(L, 3, text.size());
  lua_settop(L, 2);
  lua_pushinteger(L, static_cast<lua_Integer>(std::min(from, text.size() + 1)));
  lua_pushinteger(L, -1);
  lua_pushinteger(L, LuaState::of(L).serial());
  lua_pushcclosure(L, gmatchNext, 5);
  return 1;
}

// The replacement string, with %0 to %9 and %%.
void addExpanded(lua_State* L, PatternMatcher& matcher, std::string_view replacement, const char* s, const char* e,
                 std::string& out) {
  uint32_t items = 0;
  for (size_t i = 0; i < replacement.size(); ++i) {
    if (out.size() > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
    if ((++items & 3) == 0) LuaState::of(L).charge(1);
    const char c = replacement[i];
    if (c != '%') {
      out += c;
      continue;
    }
    if (++i == replacement.size()) luaL_error(L, "invalid use of `%%` in replacement string");
    const char what = replacement[i];
    if (what == '%') {
      out += '%';
    } else if (what == '0') {
      out.append(s, static_cast<size_t>(e - s));
    } else if (what >= '1' && what <= '9') {
      matcher.pushCapture(what - '1', s, e);
      size_t size = 0;
      const char* text = luaL_tolstring(L, -1, &size);
      LuaState::of(L).charge(2 + size / 16);
      out.append(text, size);
      lua_pop(L, 2);
    } else {
      luaL_error(L, "invalid use of `%%` in replacement string");
    }
  }
}

void addReplacement(lua_State* L, PatternMatcher& matcher, const char* s, const char* e, std::string& out) {
  const int type = lua_type(L, 3);
  if (type == LUA_TSTRING) return addExpanded(L, matcher, {lua_tostring(L, 3), lua_rawlen(L, 3)}, s, e, out);
  if (type == LUA_TFUNCTION) {
    lua_pushvalue(L, 3);
    const int count = matcher.pushCaptures(s, e);
    lua_call(L, count, 1);
  } else {
    matcher.pushCapture(0, s, e);
    lua_gettable(L, 3);
  }
  if (lua_toboolean(L, -1) == 0) {
    out.append(s, static_cast<size_t>(e - s));
  } else if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER) {
    size_t size = 0;
    const char* text = lua_tolstring(L, -1, &size);
    out.append(text, size);
  } else {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
  lua_pop(L, 1);
}

int stringGsub(lua_State* L) {
  const auto text = textAt(L, 1);
  auto pattern = textAt(L, 2);
  const int type = lua_type(L, 3);
  if (type != LUA_TSTRING && type != LUA_TTABLE && type != LUA_TFUNCTION)
    luaL_argerror(L, 3, "string, table or function expected");
  lua_Integer left = luaL_optinteger(L, 4, static_cast<lua_Integer>(text.size()) + 1);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  lua_Integer count = 0;
  {
    std::string out;  // Lua errors are C++ exceptions here: they destroy it
    PatternMatcher matcher(L, text, pattern);
    const char* s = text.data();
    const char* end = text.data() + text.size();
    const char* last = nullptr;
    while (left > 0) {
      const char* e = matcher.matchAt(s, pattern.data());
      if (e != nullptr && e != last) {
        ++count;
        --left;
        LuaState::of(L).charge(2);
        addReplacement(L, matcher, s, e, out);
        s = last = e;
      } else if (s < end) {
        out += *s++;
      } else {
        break;
      }
      if (out.size() > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
      if (anchored) break;
    }
    out.append(s, static_cast<size_t>(end - s));
    LuaState::of(L).charge(out.size() / 16);
    lua_pushlstring(L, out.data(), out.size());
  }
  lua_pushinteger(L, count);
  return 2;
}

}  // namespace

void takePatternFunctions(lua_State* L) {
  const luaL_Reg functions[] = {
      {"find", stringFind}, {"match", stringMatch}, {"gmatch", stringGmatch}, {"gsub", stringGsub}, {nullptr, nullptr}};
  luaL_setfuncs(L, functions, 0);
}

}  // namespace yett::lua
