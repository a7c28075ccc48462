#include "lua/patterns.h"

#include <catch2/catch.hpp>
#include <lua.hpp>
#include <random>

#include "lua/state.h"

using namespace yett;

namespace {

// Calls `name(text, pattern, extra...)` of the library table at `library` and renders all results.
std::string call(lua_State* L, int library, const char* name, const std::string& text, const std::string& pattern,
                 const char* replacement) {
  const int top = lua_gettop(L);
  lua_getfield(L, library, name);
  lua_pushlstring(L, text.data(), text.size());
  lua_pushlstring(L, pattern.data(), pattern.size());
  if (replacement != nullptr) lua_pushstring(L, replacement);
  std::string out;
  if (lua_pcall(L, replacement != nullptr ? 3 : 2, LUA_MULTRET, 0) != LUA_OK) {
    out = "error";
  } else {
    for (int i = top + 1; i <= lua_gettop(L); ++i) {
      if (lua_isnil(L, i)) out += "nil;";
      else out += std::string(luaL_tolstring(L, i, nullptr)) + ";", lua_pop(L, 1);
    }
  }
  lua_settop(L, top);
  return out;
}

}  // namespace

TEST_CASE("patterns: find, match, gmatch and gsub give the same results as Lua's own") {
  std::mt19937_64 random(5);
  const std::vector<std::string> pieces = {"a",    "b",     ".",  "%a", "%d",   "%s",   "[ab]",  "[^a]", "[a-c]",
                                           "*",    "+",     "-",  "?",  "(",    ")",    "()",    "^",    "$",
                                           "%b()", "%f[a]", "%1", "%%", "[%d]", "[]a]", "%w+",   "[^]]", "%",
                                           "[",    "x",     "%2", "-$", "^-",   "%S",   "[%a-]", "(a)",  "(b*)"};
  lua::LuaState state;
  state.begin({uint64_t{1} << 40, uint64_t{1} << 40}, lua::LuaState::Purpose::kLoad);
  size_t matched = 0;
  const auto ran = state.run([&](lua_State* L) {
    luaL_requiref(L, "string", luaopen_string, 0);
    const int stock = lua_gettop(L);
    lua_newtable(L);
    lua::takePatternFunctions(L);
    const int ours = lua_gettop(L);
    for (int i = 0; i < 60'000; ++i) {
      std::string text;
      std::string pattern;
      for (size_t n = random() % 8; n > 0; --n) text += "aabbc1 (x)]-"[random() % 12];
      for (size_t n = random() % 5; n > 0; --n) pattern += pieces[random() % pieces.size()];
      INFO("`" << text << "` `" << pattern << "`");
      for (const char* name : {"find", "match"}) {
        const std::string expected = call(L, stock, name, text, pattern, nullptr);
        REQUIRE(call(L, ours, name, text, pattern, nullptr) == expected);
        matched += expected != "nil;" && expected != "error" ? 1 : 0;
      }
      for (const char* replacement : {"<%0>", "%1", "%%"})
        REQUIRE(call(L, ours, "gsub", text, pattern, replacement) ==
                call(L, stock, "gsub", text, pattern, replacement));
      const char* walk =
          "local gmatch, text, pattern = ... local out = {} for a, b in gmatch(text, pattern) do out[#out + 1] = "
          "tostring(a) .. tostring(b) if #out > 20 then break end end local s = '' for i = 1, #out do s = s .. "
          "out[i] .. ';' end return s";
      std::string walked[2];
      for (const int library : {stock, ours}) {
        const int top = lua_gettop(L);
        luaL_loadstring(L, walk);
        luaL_requiref(L, "_G", luaopen_base, 0);
        lua_setupvalue(L, -2, 1);
        lua_getfield(L, library, "gmatch");
        lua_pushlstring(L, text.data(), text.size());
        lua_pushlstring(L, pattern.data(), pattern.size());
        walked[library == stock ? 0 : 1] = lua_pcall(L, 3, 1, 0) == LUA_OK ? lua_tostring(L, -1) : "error";
        lua_settop(L, top);
      }
      REQUIRE(walked[1] == walked[0]);
    }
  });
  INFO((ran.ok() ? "" : ran.error().message));
  REQUIRE(ran.ok());
  CHECK(matched > 20'000);
}
