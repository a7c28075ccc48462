// The admin side: a loop of its own, so that nothing that callers do can keep it busy, and on it nothing that waits.
// TCP serves probes, metrics and version; the Unix socket (mode 0600 unless configured) also status, policies,
// configuration and commands. Content comes by callbacks, which must be thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/admin_config.h"
#include "base/result.h"

namespace yett::admin {

/// One thing that must be so; `wrong` says why it is not, "" where it is.
struct Condition {
  std::string name;
  std::string wrong;
};

struct AdminContent {
  std::function<std::vector<Condition>()> live;   ///< /healthz
  std::function<std::vector<Condition>()> ready;  ///< /readyz
  std::function<bool()> started;                  ///< /startupz
  std::function<std::string()> metrics;
  std::function<std::string()> version;
  std::function<std::string()> status;    ///< JSON
  std::function<std::string()> policies;  ///< JSON
  std::function<std::string()> config;    ///< JSON
  /// A POST over the Unix socket, by root or by the user that runs Yett: takes its body, gives the answer's. On a
  /// thread of its own, so it may wait. `peer`: who sent it, as the kernel knows: "uid 1000 (alice)".
  std::function<Result<std::string>(const std::string& path, const std::string& body, const std::string& peer)> command;
};

class AdminServer {
 public:
  /// Listens on what the configuration names. `most_sessions`: at once, of TCP and of the Unix socket each; one more
  /// closes the oldest, so that slow clients cannot keep probes out.
  static Result<std::unique_ptr<AdminServer>> start(const AdminConfig& config, AdminContent content,
                                                    size_t most_sessions);
  /// Waits for a command that is running.
  ~AdminServer();
  /// The TCP address really bound, or "".
  const std::string& address() const { return address_; }

 private:
  AdminServer();
  class Running;
  std::unique_ptr<Running> running_;
  std::string address_;
};

}  // namespace yett::admin
