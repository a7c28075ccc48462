// Looks for mistakes in the source of a policy that Lua compiles and that would show only when a condition runs.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace yett::lua {

/// What is probably not meant, as "line: text", by line: names that nothing defines, fields that a request does not
/// have, header names that can match nothing, denies that apply because a header is absent. `globals`: the names that
/// the language defines. It reads tokens, not types, so it stays silent in doubt. REQUIRES: Lua compiles the text.
std::vector<std::string> lintSource(const std::string& text, const std::set<std::string, std::less<>>& globals);

/// Whether a condition or program in it reads `r.body`.
bool readsBody(const std::string& text);

}  // namespace yett::lua
