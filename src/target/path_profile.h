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
  kTomcat,  ///< cuts `;...` from segments, then undoes escapes but %2F and %5C, resolves dots
  kGo,      ///< net/http: undoes all escapes, then cleans the path
};
const char* name(PathProfile profile);

/// The path that such a service acts on.
std::string readAs(PathProfile profile, std::string_view path);

}  // namespace yett::target
