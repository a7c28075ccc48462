// Tokens that a test describes instead of a provider: { "corp": { "sub": "jane", "groups": ["admins"] } }.
#pragma once

#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "policy/token.h"

namespace yett::runtime {

/// Tokens by the names of their providers, with these claims, as if they had been verified. What a claim does not say
/// is made up: an issuer, an audience, and an end in an hour from `now` (seconds since 1970). Errors: claims that no
/// token may have.
Result<std::vector<policy::NamedToken>> testTokens(const json::Value& providers, int64_t now);

}  // namespace yett::runtime
