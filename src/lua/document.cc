#include "lua/document.h"

#include <algorithm>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "lua/state.h"

namespace yett::lua {
namespace {

using policy::Found;
using policy::Member;
using policy::Node;
using Kind = Node::Kind;

const char kMetatable = 0;  // registry key

struct Handle {
  const Node* node;
  const char* what;
  int64_t serial;  // of the decision that it belongs to; 0: any decision
  bool fold;
};

[[noreturn]] void refuse(lua_State* L, const Handle& handle, const std::string& why) {
  luaL_where(L, 1);
  LuaState::of(L).abort(std::string(lua_tostring(L, -1)) + handle.what + why);
}

std::string quoted(std::string_view name) {
  return "`" + std::string(name.substr(0, 64)) + "`";
}

// REQUIRES: isDocument(), which always holds in a metamethod.
const Handle& handleAt(lua_State* L, int index) {
  const auto& handle = *static_cast<const Handle*>(lua_touserdata(L, index));
  if (handle.serial != 0 && handle.serial != LuaState::of(L).serial())
    refuse(L, handle, " belongs to another decision");
  return handle;
}

void pushPart(lua_State* L, const Node& node, const Handle& whole) {
  auto* handle = static_cast<Handle*>(lua_newuserdatauv(L, sizeof(Handle), 0));
  *handle = whole;
  handle->node = &node;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kMetatable);
  lua_setmetatable(L, -2);
}

// `name` is what the policy calls it, for the message.
void pushNode(lua_State* L, const Node& node, const Handle& whole, std::string_view name) {
  switch (node.kind) {
    case Kind::kBool: lua_pushboolean(L, node.flag); return;
    case Kind::kInteger: lua_pushinteger(L, node.integer); return;
    case Kind::kReal: lua_pushnumber(L, node.real); return;
    case Kind::kString: lua_pushlstring(L, node.text, node.size); return;
    case Kind::kList:
    case Kind::kObject: pushPart(L, node, whole); return;
    case Kind::kNull: refuse(L, whole, ": " + quoted(name) + " is null: check with has() or use optional()");
    case Kind::kTooLarge:
      refuse(L, whole, ": " + quoted(name) + " is a number beyond 2^53-1, which parsers read differently");
  }
}

// The list item that the key at index 2 names; null if there is none.
const Node* itemAt(lua_State* L, const Handle& handle) {
  int whole = 0;
  const lua_Integer i = lua_type(L, 2) == LUA_TNUMBER ? lua_tointegerx(L, 2, &whole) : 0;
  if (whole == 0) {
    const std::string_view key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
    refuse(L, handle, " has a list where an object with " + quoted(key) + " is expected");
  }
  return i >= 1 && i <= static_cast<lua_Integer>(handle.node->size) ? &handle.node->items[i - 1] : nullptr;
}

// The member that the key at index 2 names; null if there is none.
const Node* memberAt(lua_State* L, const Handle& handle) {
  if (lua_type(L, 2) != LUA_TSTRING)
    refuse(L, handle, std::string(" has an object where a list is expected: its key is a ") + luaL_typename(L, 2));
  const std::string_view name(lua_tostring(L, 2), lua_rawlen(L, 2));
  LuaState::of(L).charge(name.size() / 8);
  const Found found = policy::find(*handle.node, name, handle.fold);
  if (found.how == Found::How::kOtherSpelling)
    refuse(L, handle, " has " + quoted(name) + " only in another spelling, which some services treat as the same name");
  if (found.how == Found::How::kTwoSpellings)
    refuse(L, handle, " has " + quoted(name) + " in two spellings: services may use either one");
  return found.value;
}

const Node* partAt(lua_State* L, const Handle& handle) {
  LuaState::of(L).charge(1);
  return handle.node->kind == Kind::kList ? itemAt(L, handle) : memberAt(L, handle);
}

std::string_view keyText(lua_State* L) {
  lua_pushvalue(L, 2);  // copy: lua_tolstring converts a number in place
  size_t size = 0;
  const char* text = lua_tolstring(L, -1, &size);
  return {text != nullptr ? text : "?", text != nullptr ? size : 1};
}

int index(lua_State* L) {
  const Handle& handle = handleAt(L, 1);
  const Node* part = partAt(L, handle);
  if (part == nullptr) refuse(L, handle, " has no " + quoted(keyText(L)) + ": check with has() or use optional()");
  pushNode(L, *part, handle,
           part->kind < Kind::kTooLarge && part->kind > Kind::kNull ? std::string_view() : keyText(L));
  return 1;
}

int has(lua_State* L) {
  const Node* part = partAt(L, handleAt(L, 1));
  lua_pushboolean(L, part != nullptr && part->kind != Kind::kNull);
  return 1;
}

int same(lua_State* L) {
  const bool both = isDocument(L, 1) && isDocument(L, 2);
  lua_pushboolean(L, both && handleAt(L, 1).node == handleAt(L, 2).node);
  return 1;
}

int refuseWrite(lua_State* L) {
  return luaL_error(L, "%s cannot be changed: policy code keeps no state", handleAt(L, 1).what);
}

// The list to iterate over. Checks its type: policy may call the iterator with anything.
const Handle& listAt(lua_State* L) {
  if (!isDocument(L, 1)) luaL_typeerror(L, 1, "list");
  const Handle& handle = handleAt(L, 1);
  if (handle.node->kind != Kind::kList) refuse(L, handle, " has an object where policy iterates over a list");
  if (handle.node->flag) refuse(L, handle, " has a list with a null in it, which parsers read differently");
  return handle;
}

int length(lua_State* L) {
  lua_pushinteger(L, listAt(L).node->size);
  return 1;
}

int nextItem(lua_State* L) {
  const Handle& handle = listAt(L);
  const lua_Integer last = lua_tointeger(L, 2);
  LuaState::of(L).charge(1);
  if (last < 0 || last >= static_cast<lua_Integer>(handle.node->size)) return lua_pushnil(L), 1;
  lua_pushinteger(L, last + 1);
  pushNode(L, handle.node->items[last], handle, "an item");
  return 2;
}

// Upvalues: the object, its members sorted by name, the next position, the decision.
int nextMember(lua_State* L) {
  const int object = lua_upvalueindex(1);
  const Handle& handle = handleAt(L, object);
  if (lua_tointeger(L, lua_upvalueindex(4)) != LuaState::of(L).serial())
    return luaL_error(L, "an iterator can be used only in the decision that created it");
  const auto* sorted = static_cast<const Member* const*>(lua_touserdata(L, lua_upvalueindex(2)));
  lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));
  const auto size = static_cast<lua_Integer>(handle.node->size);
  while (i < size && sorted[i]->value.kind == Kind::kNull) ++i;  // treated as absent
  LuaState::of(L).charge(1);
  lua_pushinteger(L, i + 1);
  lua_replace(L, lua_upvalueindex(3));
  if (i >= size) return lua_pushnil(L), 1;
  lua_pushlstring(L, sorted[i]->name, sorted[i]->name_size);
  pushNode(L, sorted[i]->value, handle, sorted[i]->text());
  return 2;
}

// The value on top of the stack, as plain tables.
void plain(lua_State* L, const Node& node, const Handle& whole) {
  luaL_checkstack(L, 6, "a document nested too deep");
  LuaState::of(L).charge(2);
  if (node.kind == Kind::kList) {
    if (node.flag) refuse(L, whole, " has a list with a null in it");
    lua_createtable(L, static_cast<int>(node.size), 0);
    for (uint32_t i = 0; i < node.size; ++i) {
      plain(L, node.items[i], whole);
      lua_rawseti(L, -2, i + 1);
    }
  } else if (node.kind == Kind::kObject) {
    lua_createtable(L, 0, static_cast<int>(node.size));
    for (uint32_t i = 0; i < node.size; ++i) {
      const Member& member = node.members[i];
      if (member.value.kind == Kind::kNull) continue;
      lua_pushlstring(L, member.name, member.name_size);
      plain(L, member.value, whole);
      lua_rawset(L, -3);
    }
  } else {
    pushNode(L, node, whole, "a value");
  }
}

}  // namespace

void openDocuments(lua_State* L) {
  lua_newtable(L);
  const luaL_Reg methods[] = {{"__index", index},          {"__has", has},    {"__len", length}, {"__eq", same},
                              {"__newindex", refuseWrite}, {nullptr, nullptr}};
  luaL_setfuncs(L, methods, 0);
  lua_pushliteral(L, "document");  // the type name in Lua's messages
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kMetatable);
}

void pushDocument(lua_State* L, const Node& node, const char* what, bool body, bool fold) {
  pushNode(L, node, {&node, what, body ? LuaState::of(L).serial() : 0, fold}, what);
}

bool isDocument(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_getmetatable(L, index) == 0) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kMetatable);
  const bool out = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return out;
}

void makePlain(lua_State* L, int index) {
  if (!isDocument(L, index)) return;
  index = lua_absindex(L, index);
  const Handle& handle = handleAt(L, index);
  plain(L, *handle.node, handle);
  lua_replace(L, index);
}

int documentPairs(lua_State* L) {
  const Handle& handle = handleAt(L, 1);
  if (handle.node->kind == Kind::kList) return documentIpairs(L);
  const uint32_t size = handle.node->size;
  LuaState::of(L).charge(2 + 4 * uint64_t{size});
  if (handle.fold && policy::hasTwoSpellings(*handle.node))
    refuse(L, handle, " has a name in two spellings: services may use either one");
  lua_settop(L, 1);
  auto* sorted = static_cast<const Member**>(lua_newuserdatauv(L, sizeof(Member*) * std::max(size, 1u), 0));
  for (uint32_t i = 0; i < size; ++i) sorted[i] = handle.node->members + i;
  std::sort(sorted, sorted + size, [](const Member* a, const Member* b) { return a->text() < b->text(); });
  lua_pushinteger(L, 0);
  lua_pushinteger(L, LuaState::of(L).serial());
  lua_pushcclosure(L, nextMember, 4);
  return 1;
}

int documentIpairs(lua_State* L) {
  (void)listAt(L);
  lua_pushcfunction(L, nextItem);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  return 3;
}

int kindOf(lua_State* L) {
  luaL_checkany(L, 1);
  const bool part = isDocument(L, 1);
  lua_pushstring(L, !part ? luaL_typename(L, 1) : handleAt(L, 1).node->kind == Kind::kList ? "list" : "object");
  return 1;
}

}  // namespace yett::lua
