#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace yett::base {
namespace {

Result<std::string> readChecked(const std::string& path, size_t limit, mode_t forbidden, const char* why) {
  const auto failed = [&](const char* what) { return Error{path + ": " + what + ": " + std::strerror(errno)}; };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failed("cannot open");
  struct stat info {};
  std::string out;
  Result<std::string> result = Error{""};
  if (::fstat(fd, &info) != 0) {
    result = failed("cannot stat");
  } else if (!S_ISREG(info.st_mode)) {
    result = Error{path + ": is not a regular file"};
  } else if ((info.st_mode & forbidden) != 0) {
    result = Error{path + ": " + why};
  } else {
    out.resize(static_cast<size_t>(info.st_size) + 1);
    size_t size = 0;
    ssize_t n = 0;
    while (size <= limit && (n = ::read(fd, out.data() + size, out.size() - size)) != 0) {
      if (n < 0) break;
      size += static_cast<size_t>(n);
      if (size == out.size()) out.resize(out.size() * 2);
    }
    if (n < 0) {
      result = failed("cannot read");
    } else if (size > limit) {
      result = Error{path + ": is larger than " + std::to_string(limit) + " bytes"};
    } else {
      out.resize(size);
      result = std::move(out);
    }
  }
  ::close(fd);
  return result;
}

}  // namespace

Result<std::string> readFile(const std::string& path, size_t limit) {
  return readChecked(path, limit, 0, "");
}

Result<std::string> readTrustedFile(const std::string& path, size_t limit) {
  return readChecked(path, limit, S_IWGRP | S_IWOTH, "group or others may write it: run `chmod go-w` on it");
}

Result<std::string> readSecretFile(const std::string& path, size_t limit) {
  return readChecked(path, limit, S_IWGRP | S_IRWXO, "others may read or write this key: run `chmod go-rwx` on it");
}

std::string relativeTo(const std::string& base_file, const std::string& path) {
  const std::filesystem::path p(path);
  if (p.is_absolute()) return path;
  return (std::filesystem::path(base_file).parent_path() / p).lexically_normal().string();
}

}  // namespace yett::base
