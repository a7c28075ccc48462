#include "app/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/text.h"

namespace yett::app {

ServiceManager::ServiceManager() {
  const auto take = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  address_ = take("NOTIFY_SOCKET");
  uint64_t micros = 0;
  uint64_t process = 0;
  const std::string for_process = take("WATCHDOG_PID");
  const bool mine = for_process.empty() ||
                    (base::parseUnsigned(for_process, process) && process == static_cast<uint64_t>(::getpid()));
  if (base::parseUnsigned(take("WATCHDOG_USEC"), micros) && mine) interval_ = static_cast<int64_t>(micros / 2'000);
  if (address_.empty() || (address_[0] != '/' && address_[0] != '@') ||
      address_.size() >= sizeof(sockaddr_un::sun_path))
    return;
  if (address_[0] == '@') address_[0] = '\0';  // an abstract socket
  fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // Now, since the sandbox allows no new connection to an abstract socket.
  if (fd_ >= 0) (void)::connect(fd_, reinterpret_cast<const sockaddr*>(&to), size);
}

ServiceManager::~ServiceManager() {
  if (fd_ >= 0) ::close(fd_);
}

void ServiceManager::send(std::string_view text) const {
  if (fd_ >= 0) (void)::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
}

void ServiceManager::alive() {
  if (interval_ == 0 || waitMillis() > 0) return;
  told_at_ = base::steadyNanos() / 1'000'000;
  send("WATCHDOG=1\n");
}

int64_t ServiceManager::waitMillis() const {
  if (interval_ == 0 || fd_ < 0) return INT64_MAX;
  return std::max<int64_t>(told_at_ + interval_ - base::steadyNanos() / 1'000'000, 0);
}

}  // namespace yett::app
