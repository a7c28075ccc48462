// Inspects compiled functions for the one thing the Lua API does not expose: assignments to outer locals.
#pragma once

#include <string>

struct lua_State;

namespace yett::lua {

/// The name of an upvalue assigned by the Lua function on top of the stack, or by a function inside it; "" if there is
/// none. Inner functions may assign locals of the function itself: those are new in each call.
std::string assignedUpvalue(lua_State* L);

}  // namespace yett::lua
