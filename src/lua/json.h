// Lua values as JSON.
#pragma once

#include "base/json.h"

struct lua_State;

namespace yett::lua {

/// The value at this index: tables with the keys 1 to n are arrays, others objects. Raises an error for what JSON
/// cannot represent.
json::Value toJson(lua_State* L, int index, int depth = 0);

}  // namespace yett::lua
