#include "lua/decode.h"

#include <array>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "base/base64.h"
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

int base64Decode(lua_State* L) {
  const bool url = lua_toboolean(L, lua_upvalueindex(1)) != 0;
  const std::string_view text = textAt(L, 1);
  LuaState::of(L).charge(5 + text.size() / 8);
  luaL_Buffer out;
  luaL_buffinitsize(L, &out, text.size() / 4 * 3 + 3);
  const auto form = url ? base::Base64::kUrl : base::Base64::kPadded;
  const char* wrong = base::decodeBase64(text, form, [&out](char c) { luaL_addchar(&out, c); });
  if (wrong != nullptr) return luaL_error(L, "%s.decode: %s", url ? "base64url" : "base64", wrong);
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
