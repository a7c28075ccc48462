// json.decode, base64.decode and base64url.decode of the policy language: strict, bounded, charged.
#pragma once

struct lua_State;

namespace yett::lua {

/// Adds the libraries `json`, `base64` and `base64url` to the table on top of the stack. Must run inside LuaState::run,
/// after openDocuments().
///
/// json.decode(text): a document like `r.body.json` (strict RFC 8259; names that differ only by case are ambiguous),
/// valid in this decision only. base64.decode(text): RFC 4648 section 4, with its padding. base64url.decode(text):
/// RFC 4648 section 5, without padding. Anything that two decoders could read differently is an error.
void openDecoders(lua_State* L);

}  // namespace yett::lua
