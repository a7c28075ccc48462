// Verified tokens as Lua values: r.jwt.corp, r.jwt.corp.claims.
#pragma once

#include <string_view>
#include <vector>

#include "policy/attribute_reader.h"

struct lua_State;

namespace yett::lua {

/// Registers the type in this state. Must run inside LuaState::run, before pushToken().
void openTokens(lua_State* L);

/// Pushes the token of a provider, which every decision looks up for itself. REQUIRES: `reader` outlives the state.
void pushToken(lua_State* L, policy::AttributeReader** reader, std::string_view provider);

/// Pushes a value that is present: of a token, or of the request. `key` is that of a kJwt.
void pushValue(lua_State* L, policy::AttributeReader& reader, const policy::AttrValue& value, std::string_view key);

/// What a token has, beside `claims`.
std::vector<std::string_view> tokenValueFields();

}  // namespace yett::lua
