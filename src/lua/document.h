// Parts of a document as Lua values: read where they stand, never copied. What is not one value in every reader's eyes
// is an error that pcall does not hide.
#pragma once

#include "policy/document.h"

struct lua_State;

namespace yett::lua {

/// Makes documents known to this state. Must run inside LuaState::run, before anything else here.
void openDocuments(lua_State* L);

/// Pushes the value of `node`: scalars as Lua has them, lists and objects as values that are read where they stand.
/// `what` names the document in messages. `body`: it belongs to this decision alone, and names that differ only by case
/// must not be told apart; else it belongs to the policy. REQUIRES: node, and `what`, outlive the decision or the
/// state.
void pushDocument(lua_State* L, const policy::Node& node, const char* what, bool body, bool fold);

/// Whether the value is a list or an object of a document.
bool isDocument(lua_State* L, int index);
/// Replaces a list or an object of a document by plain tables, for what takes tables at loading. Others stay.
void makePlain(lua_State* L, int index);

/// Of documents, for the functions of the language; REQUIRES: isDocument(L, 1).
int documentPairs(lua_State* L);
int documentIpairs(lua_State* L);

/// kind(v): "object" or "list" for parts of documents; else type(v).
int kindOf(lua_State* L);

}  // namespace yett::lua
