// The admin side: POCO's HTTP server on its own threads. TCP serves health, readiness, metrics and version;
// the Unix socket (mode 0600) also policies, configuration and erasing. Content comes by callbacks, which must be
// thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "admin/admin_config.h"
#include "base/result.h"

namespace yett::admin {

struct AdminContent {
  std::function<std::string()> not_ready;  ///< "" when ready, else why not
  std::function<std::string()> metrics;
  std::function<std::string()> version;
  std::function<std::string()> policies;  ///< JSON
  std::function<std::string()> config;    ///< JSON
  /// Over the Unix socket: takes a JSON body, gives the answer's.
  std::function<Result<std::string>(const std::string& body)> erase;
};

class AdminServer {
 public:
  /// Listens on what the configuration names.
  static Result<std::unique_ptr<AdminServer>> start(const AdminConfig& config, AdminContent content);
  ~AdminServer();
  /// The TCP address really bound, or "".
  const std::string& address() const { return address_; }

 private:
  AdminServer();
  struct Servers;
  std::unique_ptr<Servers> servers_;
  std::string address_;
  std::string socket_path_;
};

}  // namespace yett::admin
