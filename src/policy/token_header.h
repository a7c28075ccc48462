// A header that tells the service what a verified token says: "{subject}", "user {claims.name}".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/token.h"

namespace yett::policy {

/// Errors: a brace without its twin, a name that no token has.
Status checkTokenTemplate(std::string_view text);

/// The text with each part in braces replaced by its value; a list by its elements, with commas between them. Nothing
/// if the token lacks one of them. Errors: a value that a header cannot hold, a list with a comma in an element, an
/// object.
Result<std::optional<std::string>> fillTokenTemplate(std::string_view text, const Token& token);

}  // namespace yett::policy
