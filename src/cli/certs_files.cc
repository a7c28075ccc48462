#include "cli/certs_files.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace yett::cli {

Status writeFile(const std::string& path, const std::string& content, mode_t mode) {
  // An unpredictable name, so that nobody can have created it beforehand.
  std::array<unsigned char, 8> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return Error{"cannot get random bytes"};
  const std::string temporary = path + "." + base::hex({reinterpret_cast<const char*>(random.data()), random.size()});
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return Error{temporary + ": cannot write: " + std::strerror(errno)};
  const bool ok = ::fchmod(fd, mode) == 0 &&
                  ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                  ::fsync(fd) == 0;
  ::close(fd);
  if (!ok || ::rename(temporary.c_str(), path.c_str()) != 0)
    return Error{path + ": cannot write: " + std::strerror(errno)};
  return {};
}

Status checkFolder(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return Error{directory + ": " + std::strerror(errno)};
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    return Error{directory + ": belongs to user " + std::to_string(info.st_uid) +
                 ", who could replace the files in it: use a folder that you own"};
  if ((info.st_mode & 022) != 0) return Error{directory + ": others can write to it: chmod go-w " + directory};
  return {};
}

}  // namespace yett::cli
