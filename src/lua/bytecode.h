// Looks into compiled functions for the one thing that the Lua API cannot tell: assignments to outer locals.
#pragma once

#include <string>

struct lua_State;

namespace yett::lua {

/// The name of an upvalue that the Lua function on top of the stack, or a function inside it, assigns to; "" where
/// there is none. Locals of the function itself may be assigned by functions inside it: they are new with each call.
std::string assignedUpvalue(lua_State* L);

}  // namespace yett::lua
