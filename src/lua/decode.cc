#include "lua/decode.h"

#include <array>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "base/text.h"
#include "lua/document.h"
#include "lua/freeze.h"
#include "lua/state.h"
#include "policy/document.h"

namespace yett::lua {
namespace {

constexpr int kMaxDepth = 32;
constexpr size_t kMaxValues = 4096;
constexpr size_t kMemoryPerDocument = 4096;
constexpr size_t kMemoryPerByte = 8;  // of text: about what its values take

std::string_view textAt(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TSTRING);
  return {lua_tostring(L, index), lua_rawlen(L, index)};
}

int decodeJson(lua_State* L) {
  LuaState& state = LuaState::of(L);
  if (!state.deciding())
    return luaL_error(L, "json.decode is for conditions: a document of the policy itself is read with `data`");
  const std::string_view text = textAt(L, 1);
  state.charge(60 + text.size() / 2);
  lua_newuserdatauv(L, text.size() * kMemoryPerByte + kMemoryPerDocument,
                    0);  // the budget of memory pays for the document
  policy::Document& document = state.newDocument(text);
  if (const auto parsed = document.parse(state.documentText(), {kMaxDepth, kMaxValues}); !parsed) {
    lua_pushfstring(L, "json.decode: %s", parsed.error().message.c_str());
    return -1;
  }
  switch (document.root().kind) {
    case policy::Node::Kind::kObject:
    case policy::Node::Kind::kList: pushDocument(L, document.root(), "the decoded JSON", true, true); return 1;
    case policy::Node::Kind::kBool: lua_pushboolean(L, document.root().flag); return 1;
    case policy::Node::Kind::kInteger: lua_pushinteger(L, document.root().integer); return 1;
    case policy::Node::Kind::kReal: lua_pushnumber(L, document.root().real); return 1;
    case policy::Node::Kind::kString: {
      const std::string_view string = document.root().string();
      lua_pushlstring(L, string.data(), string.size());
      return 1;
    }
    case policy::Node::Kind::kNull:
    case policy::Node::Kind::kTooLarge: break;
  }
  lua_pushliteral(L, "json.decode: the document is null, or a number beyond 2^53-1");
  return -1;
}

// The errors are raised where nothing of C++ is left to destroy.
int jsonDecode(lua_State* L) {
  if (decodeJson(L) > 0) return 1;
  luaL_where(L, 1);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

// The value of a digit in either alphabet of RFC 4648; -1 for another character.
int digit(char c, bool url) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == (url ? '-' : '+')) return 62;
  if (c == (url ? '_' : '/')) return 63;
  return -1;
}

// Decodes `text`, which has no padding. Null, or what is wrong.
const char* decode(std::string_view text, bool url, luaL_Buffer& out) {
  if (text.size() % 4 == 1) return "its length is impossible";
  uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const int value = digit(c, url);
    if (value < 0) return "a character that is not in the alphabet";
    bits = bits << 6 | static_cast<uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    luaL_addchar(&out, static_cast<char>(bits >> have & 0xff));
  }
  return (bits & ((1u << have) - 1)) == 0 ? nullptr : "bits after its end are not zero, so it has several spellings";
}

int base64Decode(lua_State* L) {
  const bool url = lua_toboolean(L, lua_upvalueindex(1)) != 0;
  const char* name = url ? "base64url" : "base64";
  std::string_view text = textAt(L, 1);
  LuaState::of(L).charge(5 + text.size() / 8);
  if (!url) {
    if (text.size() % 4 != 0)
      return luaL_error(L, "base64.decode: its length is not a multiple of four: is its padding missing?");
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  } else if (text.ends_with('=')) {
    return luaL_error(L, "base64url.decode: it has padding, which base64url does not have here");
  }
  luaL_Buffer out;
  luaL_buffinitsize(L, &out, text.size() / 4 * 3 + 3);
  if (const char* wrong = decode(text, url, out); wrong != nullptr) return luaL_error(L, "%s.decode: %s", name, wrong);
  luaL_pushresult(&out);
  return 1;
}

// {decode = function} as a read-only global; the function is on top of the stack.
void addLibrary(lua_State* L, int globals, const char* name) {
  lua_newtable(L);
  lua_insert(L, -2);
  lua_setfield(L, -2, "decode");
  frozenLibrary(L, globals, name);
}

}  // namespace

void openDecoders(lua_State* L) {
  const int globals = lua_gettop(L);
  lua_pushcfunction(L, jsonDecode);
  addLibrary(L, globals, "json");
  for (const bool url : {false, true}) {
    lua_pushboolean(L, url);
    lua_pushcclosure(L, base64Decode, 1);
    addLibrary(L, globals, url ? "base64url" : "base64");
  }
}

}  // namespace yett::lua
