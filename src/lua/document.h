// Parts of a document as Lua values: read in place, never copied. A value that JSON parsers read differently is an
// error that pcall cannot hide.
#pragma once

#include "policy/document.h"

struct lua_State;

namespace yett::lua {

/// Registers the document type in this state. Must run inside LuaState::run, before anything else here.
void openDocuments(lua_State* L);

/// Pushes the value of `node`: scalars as Lua values, lists and objects as values that are read in place. `what` names
/// the document in messages. `body`: it belongs to this decision only; otherwise to the policy. `fold`: names that
/// differ only by case are ambiguous, which is an error. REQUIRES: node, and `what`, outlive the decision or the state.
void pushDocument(lua_State* L, const policy::Node& node, const char* what, bool body, bool fold);

/// Whether the value is a list or an object of a document.
bool isDocument(lua_State* L, int index);
/// Replaces a document list or object with plain tables, for load-time code that needs tables. Other values stay.
void makePlain(lua_State* L, int index);

/// pairs() and ipairs() over documents. REQUIRES: isDocument(L, 1).
int documentPairs(lua_State* L);
int documentIpairs(lua_State* L);

/// kind(v): "object" or "list" for parts of documents; else type(v).
int kindOf(lua_State* L);

}  // namespace yett::lua
