// Tells a service manager about the program: sd_notify(3), the protocol of systemd.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace yett::app {

/// One thread. Without NOTIFY_SOCKET in the environment, it does nothing.
class ServiceManager {
 public:
  /// From the environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
  ServiceManager();
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;

  void ready() { send("READY=1\nSTATUS=serving\n"); }
  void stopping() { send("STOPPING=1\nSTATUS=draining\n"); }
  /// The program is alive. Sends at most twice in the interval after which the manager would kill it.
  void alive();
  /// Milliseconds until alive() should be called again; INT64_MAX: the manager does not watch.
  int64_t waitMillis() const;

 private:
  void send(std::string_view text) const;
  int fd_ = -1;
  std::string address_;   // as the kernel wants it
  int64_t interval_ = 0;  // milliseconds; 0: not watched
  int64_t told_at_ = 0;   // steady milliseconds
};

}  // namespace yett::app
