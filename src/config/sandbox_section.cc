#include "base/file.h"
#include "config/sections.h"

namespace yett::config {

void readSandbox(ObjectReader& in, const std::string& file, SandboxConfig& out) {
  in.texts("paths", out.paths);
  for (auto& path : out.paths) path = base::relativeTo(file, path);
  size_t ports = 0;
  in.choice("ports", {"configured", "any"}, ports);
  out.any_port = ports == 1;
}

}  // namespace yett::config
