// find, match, gmatch and gsub of the policy language: Lua's patterns (manual, 6.4.1), with a matcher that counts its
// steps. The stock matcher can run for years on forty bytes.
#pragma once

struct lua_State;

namespace yett::lua {

/// Puts find, match, gmatch and gsub into the table on top of the stack.
void takePatternFunctions(lua_State* L);

}  // namespace yett::lua
