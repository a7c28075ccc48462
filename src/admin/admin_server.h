// The admin interface. It has its own event loop, so that callers cannot keep it busy, and nothing on that loop blocks.
// TCP serves probes, metrics and version; the Unix socket (mode 0600 unless configured) also status, policies,
// clusters, configuration and commands. Content comes from callbacks, which must be thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/admin_config.h"
#include "base/result.h"
#include "net/listener.h"

namespace yett::admin {

/// One health condition; `wrong` says why it fails, "" if it holds.
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
  std::function<std::string()> clusters;  ///< JSON
  std::function<std::string()> config;    ///< JSON
  /// A POST over the Unix socket, by root or the user that runs Yett: takes its body, returns the response body. Runs
  /// on a separate thread, so it may block. `peer`: the sender according to the kernel: "uid 1000 (alice)".
  std::function<Result<std::string>(const std::string& path, const std::string& body, const std::string& peer)> command;
};

class AdminServer {
 public:
  /// Listens where the configuration says. `most_sessions`: limit for TCP and for the Unix socket, each; one more
  /// closes the oldest session, so that slow clients cannot lock out probes.
  /// `opened`: the socket of the TCP address, if it is open already.
  static Result<std::unique_ptr<AdminServer>> start(const AdminConfig& config, AdminContent content,
                                                    size_t most_sessions,
                                                    std::shared_ptr<net::ListeningSocket> opened = nullptr);
  /// Waits for a running command.
  ~AdminServer();
  /// The actual TCP address, or "".
  const std::string& address() const { return address_; }

 private:
  AdminServer();
  class Running;
  std::unique_ptr<Running> running_;
  std::string address_;
};

}  // namespace yett::admin
