#include <filesystem>

#include "base/file.h"
#include "config/sections.h"

namespace yett::config {

void readSandbox(ObjectReader& in, const std::string& file, SandboxConfig& out) {
  in.texts("paths", out.paths);
  for (auto& path : out.paths) {
    if (path.starts_with("~")) in.problem("paths", "`" + path + "`: `~` is not replaced, write the whole path");
    path = std::filesystem::path(base::relativeTo(file, path)).lexically_normal().string();
    if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  }
  size_t ports = 0;
  in.choice("ports", {"configured", "any"}, ports);
  out.any_port = ports == 1;
}

}  // namespace yett::config
