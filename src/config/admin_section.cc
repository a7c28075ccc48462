#include "admin/admin_config.h"
#include "base/file.h"
#include "config/address.h"
#include "config/sections.h"

namespace yett::config {

void readAdmin(ObjectReader& in, const std::string& file, admin::AdminConfig& out) {
  in.text("address", out.address);
  if (const std::string why = whyNotAddress(out.address, false); !out.address.empty() && !why.empty())
    in.problem("address", why);
  in.text("socket", out.socket);
  if (!out.socket.empty()) out.socket = base::relativeTo(file, out.socket);
  readMode(in, "socket_mode", out.socket_mode);
  in.duration("liveness_stall", out.liveness_stall);
}

}  // namespace yett::config
