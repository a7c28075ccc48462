#include "audit/log_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "base/file.h"
#include "base/text.h"

namespace yett::audit {
namespace {

constexpr size_t kDigits = 12;  // at least

// "audit/yett.db" -> "audit/yett" and ".db"
std::pair<std::string, std::string> stemAndEnding(const std::string& path) {
  const auto slash = path.rfind('/');
  const auto dot = path.rfind('.');
  const bool ending = dot != std::string::npos && dot > 0 && (slash == std::string::npos || dot > slash + 1);
  return {path.substr(0, ending ? dot : path.size()), ending ? path.substr(dot) : ""};
}

}  // namespace

// "audit/yett.db", 412 -> "audit/yett.000000000412.db"
std::string closedName(const std::string& path, int64_t seq) {
  char number[32];
  std::snprintf(number, sizeof number, ".%012lld", static_cast<long long>(seq));
  const auto [stem, ending] = stemAndEnding(path);
  return stem + number + ending;
}

bool isClosedName(const std::string& path) {
  const auto [stem, ending] = stemAndEnding(path);
  const auto digits = [](std::string_view text) {
    return text.size() >= kDigits && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const auto dot = stem.rfind('.');
  return (dot != std::string::npos && digits(std::string_view(stem).substr(dot + 1))) ||
         (!ending.empty() && digits(std::string_view(ending).substr(1)));
}

std::string liveName(const std::string& path) {
  if (!isClosedName(path)) return path;
  const auto [stem, ending] = stemAndEnding(path);
  const std::string_view digits = ending.size() > 1 ? std::string_view(ending).substr(1) : std::string_view();
  const bool last = digits.size() >= kDigits && digits.find_first_not_of("0123456789") == std::string_view::npos;
  return last ? stem : stem.substr(0, stem.rfind('.')) + ending;
}

int64_t closedNumber(const std::string& path) {
  const std::string live = liveName(path);
  const auto stem = stemAndEnding(live).first;
  int64_t out = 0;
  for (size_t at = stem.size() + 1; at < path.size() && path[at] >= '0' && path[at] <= '9' && out < INT64_MAX / 100;
       ++at)
    out = out * 10 + (path[at] - '0');
  return out;
}

static uint64_t inodeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

LogRef refTo(const std::string& path) {
  LogRef out(path);
  // O_PATH: closing any other descriptor of the file would drop SQLite's locks.
  const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return out;
  struct stat info {};
  if (::fstat(fd, &info) == 0) out.inode = info.st_ino;
  out.pin = std::shared_ptr<const void>(nullptr, [fd](const void*) { ::close(fd); });
  return out;
}

std::vector<LogRef> logFiles(const std::string& database) {
  const auto lock = RotationLock::shared(database);
  std::vector<LogRef> out;
  // A closed file never changes its name.
  for (const auto& closed : closedFiles(database)) {
    out.emplace_back(closed);
    out.back().inode = inodeOf(closed);
  }
  // During a rotation, or after one was interrupted, there is no live file.
  if (out.empty() || ::access(database.c_str(), F_OK) == 0) out.push_back(refTo(database));
  return out;
}

std::optional<std::string> nameNow(const LogRef& file) {
  if (file.inode == 0 || inodeOf(file.path) == file.inode) return file.path;
  if (isClosedName(file.path)) return std::nullopt;
  for (const auto& closed : closedFiles(file.path)) {
    if (inodeOf(closed) == file.inode) return closed;
  }
  return std::nullopt;
}

bool isInPlace(const std::string& database) {
  const auto noted = base::readFile(database + ".lock");
  if (!noted) return false;
  const auto lines = base::split(noted.value(), '\n');
  const uint64_t inode = inodeOf(database);
  // During a rotation there is no live file.
  return lines.size() < 2 || inode == 0 || lines[1] == "inode " + std::to_string(inode);
}

std::vector<std::string> closedFiles(const std::string& path) {
  const auto [stem, ending] = stemAndEnding(path);
  std::vector<std::string> out;
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder.empty() ? "." : folder, ignored)) {
    const std::string name = (folder / entry.path().filename()).string();
    if (name.size() < stem.size() + 1 + kDigits + ending.size() || !name.starts_with(stem + ".") ||
        !name.ends_with(ending))
      continue;
    const std::string_view number =
        std::string_view(name).substr(stem.size() + 1, name.size() - stem.size() - 1 - ending.size());
    if (number.find_first_not_of("0123456789") == std::string_view::npos) out.push_back(name);
  }
  // By their numbers, which may have more digits one day.
  std::sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), std::string_view(a)) < std::pair(b.size(), std::string_view(b));
  });
  return out;
}

RotationLock RotationLock::shared(const std::string& database) {
  const int fd = ::open((database + ".rotate").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) ::flock(fd, LOCK_SH);
  return RotationLock(fd);
}

std::optional<RotationLock> RotationLock::alone(const std::string& database) {
  const int fd = ::open((database + ".rotate").c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
  RotationLock out(fd);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  return out;
}

RotationLock::~RotationLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace yett::audit
