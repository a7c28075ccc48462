// The value `r` that conditions get: its fields are read from the request on access.
#pragma once

#include <string_view>
#include <vector>

#include "policy/attribute_reader.h"

struct lua_State;

namespace yett::policy {
class AttributeReader;
}

namespace yett::lua {

/// Pushes `r` for this state, the same value for every decision. Its fields are read with `*reader`, which may change
/// between runs. Must run inside LuaState::run.
void pushRequest(lua_State* L, policy::AttributeReader** reader);

/// The fields of `r.GROUP`, of `r` itself for "". Empty for groups with any key.
std::vector<std::string_view> requestFields(std::string_view group);

}  // namespace yett::lua
