// The language available to policy code: what is not installed here does not exist for it. No files, clock, network,
// bytecode, metatables, coroutines or collector; nothing that runs long without being charged.
#pragma once

#include <string>

struct lua_State;

namespace yett::lua {

/// Installs base functions, string, table, math and utf8 into the table on top of the stack. Must run inside
/// LuaState::run.
void openSandbox(lua_State* L);

/// From now on, indexing a string gives a method only on a line that calls it (LuaState::callsMethod). Until then it
/// always does, so call this before running a chunk that is not MethodCalls::callsOnly().
void checkMethodCalls(lua_State* L);

}  // namespace yett::lua
