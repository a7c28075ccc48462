// The value `r` that conditions get: fields that are read from the request when they are asked for.
#pragma once

struct lua_State;

namespace yett::policy {
class AttributeReader;
}

namespace yett::engine {

/// Pushes `r` for this state, the same value for every decision. `*reader` is where its fields are read; it may change
/// between runs. Must run inside LuaState::run.
void pushRequest(lua_State* L, policy::AttributeReader** reader);

}  // namespace yett::engine
