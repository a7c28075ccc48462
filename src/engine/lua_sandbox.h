// The language that policy code may use: what is missing here does not exist for it. No files, clock, network,
// bytecode, metatables, coroutines or collector; nothing that runs long without being charged.
#pragma once

#include <string>

struct lua_State;

namespace yett::engine {

/// Installs base functions, string, table, math and utf8 into the table on top of the stack. Must run inside
/// LuaState::run.
void openSandbox(lua_State* L);

/// From now on a method of a string is given only where the text of a chunk calls one (LuaState::callsMethod). Before that,
/// chunks must have no other way to ask for one (MethodCalls::callsOnly).
void checkMethodCalls(lua_State* L);

}  // namespace yett::engine
