// JSON documents as Lua values.
#pragma once

#include "base/json.h"

struct lua_State;

namespace yett::engine {

/// Pushes the document as fresh tables; null becomes nil. Charges nothing. Must run inside LuaState::run.
void pushJson(lua_State* L, const json::Value& value);

}  // namespace yett::engine
