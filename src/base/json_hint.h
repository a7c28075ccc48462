// Explains why a text is not valid JSON, for the person who wrote it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace yett::json {

/// `offset`: where the parser stopped. `raw`: what the parser says; used only to tell apart what was expected there.
/// `comments`: whether `//` comments are allowed.
std::string explainSyntax(std::string_view text, size_t offset, std::string_view raw, bool comments);

}  // namespace yett::json
