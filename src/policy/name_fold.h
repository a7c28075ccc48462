// Names that a service may treat as the same: equal under Unicode case folding, as Go's encoding/json reads them.
#pragma once

#include <cstdint>
#include <string_view>

namespace yett::policy {

/// Equal for names that fold to the same text. Seeded per process, so nobody can choose names that collide.
uint32_t foldHash(std::string_view name);

/// Whether two names (UTF-8) are the same under full case folding (Unicode 5.18.4, CaseFolding.txt C and F). Full
/// folding equates all names that simple folding equates, and a few more: `ß` equals `ss`.
bool foldsAlike(std::string_view a, std::string_view b);

}  // namespace yett::policy
