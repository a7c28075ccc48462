// The table functions of the policy language: each is charged for work beyond its arguments, and none depends on an
// order that differs between states.
#pragma once

struct lua_State;

namespace yett::lua {

/// pairs(t): keys in sorted order. Works on read-only tables too.
int sortedPairs(lua_State* L);
/// ipairs(t): up to the first gap. Never reads past the end, which would be an error in a document.
int listPairs(lua_State* L);
/// Puts concat, insert, pack, remove, sort and unpack into the table on top of the stack; `stock` is the index of Lua's
/// own library.
void takeTableFunctions(lua_State* L, int stock);

}  // namespace yett::lua
