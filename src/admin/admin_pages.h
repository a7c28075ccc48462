// The response for each path of the admin interface.
#pragma once

#include <string>
#include <string_view>

#include "admin/admin_server.h"

namespace yett::admin {

struct Page {
  int status = 200;
  std::string type = "text/plain";
  std::string body;
};

/// `target`: path and query. `trusted`: the request came over the Unix socket.
Page pageFor(const AdminContent& content, bool trusted, std::string_view method, std::string_view target);

/// Whether a POST to `target` is a command that changes something.
bool isCommand(std::string_view target);

}  // namespace yett::admin
