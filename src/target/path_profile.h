// How services interpret the path they receive. Yett forwards one canonical form. A service may still decode remaining
// escapes or remove parameters, and so see a different path than policy did. Used only for warnings by `check`; no
// byte is changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace yett::target {

enum class PathProfile : uint8_t {
  kStrict,  ///< as written
  kNginx,   ///< decodes all escapes, including %2F, then merges slashes and resolves dots
  kTomcat,  ///< removes `;...` from segments, leaves %2F and %5C alone, resolves dots
  kGo,      ///< net/http: undoes all escapes, then cleans the path
};
const char* name(PathProfile profile);

/// The path that such a service acts on, in canonical form, so that path rules can be evaluated on it. `path` is a path
/// that Yett forwards: canonical, possibly with parameters.
std::string readAs(PathProfile profile, std::string_view path);

}  // namespace yett::target
