#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>

namespace yett::base {

Result<std::string> readDescriptor(int fd, const std::string& path, size_t limit) {
  const auto failed = [&](const char* what) { return Error{path + ": " + what + ": " + std::strerror(errno)}; };
  struct stat info {};
  if (::fstat(fd, &info) != 0) return failed("cannot stat");
  if (!S_ISREG(info.st_mode)) return Error{path + ": is not a regular file"};
  const auto tooLarge = [&] { return Error{path + ": is larger than " + std::to_string(limit) + " bytes"}; };
  if (static_cast<uint64_t>(info.st_size) > limit) return tooLarge();  // before allocating: the file may be sparse
  std::string out(static_cast<size_t>(info.st_size) + 1, '\0');
  size_t size = 0;
  ssize_t n = 0;
  while (size <= limit && (n = ::read(fd, out.data() + size, out.size() - size)) > 0) {
    size += static_cast<size_t>(n);
    if (size == out.size()) out.resize(out.size() * 2);
  }
  if (n < 0) return failed("cannot read");
  if (size > limit) return tooLarge();
  out.resize(size);
  return out;
}

Result<std::string> readFile(const std::string& path, size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Error{path + ": cannot open: " + std::strerror(errno)};
  auto out = readDescriptor(fd, path, limit);
  ::close(fd);
  return out;
}

std::string relativeTo(const std::string& base_file, const std::string& path) {
  const std::filesystem::path p(path);
  if (p.is_absolute()) return path;
  return (std::filesystem::path(base_file).parent_path() / p).lexically_normal().string();
}

}  // namespace yett::base
