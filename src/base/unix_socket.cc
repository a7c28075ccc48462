#include "base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace yett::base {

Status makeRoomForSocket(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0)
    return errno == ENOENT ? Status() : Status(Error{path + ": " + std::strerror(errno)});
  if (!S_ISSOCK(info.st_mode)) return Error{path + ": is not a socket: it is left alone; use another path"};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{path + ": a socket path can have at most " + std::to_string(sizeof address.sun_path - 1) + " bytes"};
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Error{path + ": " + std::strerror(errno)};
  const bool served =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
  ::close(fd);
  if (served) return Error{path + ": another process is listening on it"};
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return Error{path + ": cannot be removed: " + std::strerror(errno)};
  return {};
}

ModeLimit::ModeLimit(mode_t mode) : before_(::umask(0777 & ~mode)) {}

ModeLimit::~ModeLimit() {
  ::umask(before_);
}

}  // namespace yett::base
