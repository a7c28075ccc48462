// The value `r` that conditions get: fields that are read from the request when they are asked for.
#pragma once

#include "policy/attribute_reader.h"

struct lua_State;

namespace yett::policy {
class AttributeReader;
}

namespace yett::lua {

/// Pushes `r` for this state, the same value for every decision. `*reader` is where its fields are read; it may change
/// between runs. Must run inside LuaState::run.
void pushRequest(lua_State* L, policy::AttributeReader** reader);

}  // namespace yett::lua
