// The language that policy code may use: what is missing here does not exist for it. No files, clock, network,
// bytecode, metatables, coroutines or collector; nothing that runs long without being charged.
#pragma once

#include <string>

struct lua_State;

namespace yett::engine {

/// Installs base functions, string, table, math and utf8 into the table on top of the stack. Must run inside
/// LuaState::run.
void openSandbox(lua_State* L);

/// Replaces the value on top of the stack by one that cannot be changed: tables become read-only proxies, at any depth.
/// `strict`: reading a key that is not there is an error (documents), not nil (tables of code). `what` names it in
/// messages.
void freeze(lua_State* L, const char* what, bool strict);

/// A read-only, empty table whose reads go to the table on top of the stack, which it replaces; writes go there too
/// until sealGlobals() and are errors after it. Reading a name that is not there is an error.
void makeGlobals(lua_State* L);
void sealGlobals(lua_State* L);

}  // namespace yett::engine
