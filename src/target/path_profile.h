// How services read the path they are given. Yett forwards one canonical form; a service may still undo escapes that
// stay in it, or cut parameters, and so see another path than policy did. Changes no byte: `check` warns by it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace yett::target {

enum class PathProfile : uint8_t {
  kStrict,  ///< as written
  kNginx,   ///< undoes all escapes, %2F too, then merges slashes and resolves dots
  kTomcat,  ///< cuts `;...` from segments, leaves %2F and %5C alone, resolves dots
  kGo,      ///< net/http: undoes all escapes, then cleans the path
};
const char* name(PathProfile profile);

/// The path that such a service acts on, in canonical spelling, so that a path rule can be asked about it. `path` is
/// one that Yett forwards: canonical, maybe with parameters.
std::string readAs(PathProfile profile, std::string_view path);

}  // namespace yett::target
