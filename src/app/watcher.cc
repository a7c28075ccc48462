#include "app/watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "config/config.h"
#include "policy/policy_source.h"

namespace yett::app {
namespace fs = std::filesystem;
namespace {

constexpr uint32_t kEvents =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

std::string look(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return path + " missing\n";
  return path + " " + std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) + " " +
         std::to_string(info.st_size) + " " + std::to_string(info.st_mode) + " " + std::to_string(info.st_mtim.tv_sec) +
         "." + std::to_string(info.st_mtim.tv_nsec) + "\n";
}

bool hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

// Calls `visit` for all entries below the directory except dot-names. Follows linked folders, as reading policies does,
// but visits each once, and stops after kMax entries, in case a link leads to the whole disk.
template <typename Visit>
void walk(const std::string& directory, Visit visit) {
  constexpr size_t kMax = 20'000;
  std::error_code error;
  std::set<std::pair<dev_t, ino_t>> seen;
  const auto first = [&](const std::string& folder) {
    struct stat info {};
    return ::stat(folder.c_str(), &info) == 0 && seen.emplace(info.st_dev, info.st_ino).second;
  };
  first(directory);
  size_t count = 0;
  fs::recursive_directory_iterator it(
      directory, fs::directory_options::skip_permission_denied | fs::directory_options::follow_directory_symlink,
      error);
  for (const fs::recursive_directory_iterator end; !error && it != end && ++count < kMax; it.increment(error)) {
    std::error_code ignored;
    const bool folder = it->is_directory(ignored);
    if (hidden(it->path()) || (folder && !first(it->path().string()))) {
      if (folder) it.disable_recursion_pending();
      continue;
    }
    visit(it->path().string(), folder);
  }
}

// Tests and editor backup files do not change the policy.
bool isPolicy(const std::string& name) {
  return policy::PolicySource::isLoadable(name) && !policy::PolicySource::isTest(name);
}

}  // namespace

Watcher::Watcher() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (fd_ < 0)
    missing_ = std::string("no inotify instance: ") + std::strerror(errno) + " (fs.inotify.max_user_instances)";
}

Watcher::~Watcher() {
  if (fd_ >= 0) ::close(fd_);
}

void Watcher::add(const std::string& folder) {
  if (fd_ < 0) return;
  const int watch = ::inotify_add_watch(fd_, folder.c_str(), kEvents);
  if (watch >= 0) watches_.push_back(watch);
  else if (errno == ENOSPC || errno == ENOMEM)
    missing_ = std::string("no inotify watch: ") + std::strerror(errno) + " (fs.inotify.max_user_watches)";
}

// Adds the folder of the path and of every link on the way to its target: a Kubernetes volume swaps such a link.
void Watcher::addFolders(const std::string& path) {
  std::error_code failed;
  fs::path current = fs::absolute(path, failed).lexically_normal();
  if (failed) return;
  for (int hop = 0; hop < 16; ++hop) {
    for (fs::path part = current; part.has_relative_path(); part = part.parent_path()) {
      std::error_code error;
      const bool nearest = part == current;
      if (nearest || fs::is_symlink(part, error)) add(part.parent_path().string());
    }
    std::error_code error;
    fs::path next;
    for (fs::path part = current; part.has_relative_path(); part = part.parent_path()) {
      if (!fs::is_symlink(part, error)) continue;
      const fs::path target = fs::read_symlink(part, error);
      next = (target.is_absolute() ? target : part.parent_path() / target) / current.lexically_relative(part);
      break;
    }
    if (next.empty()) return;
    current = next.lexically_normal();
    if (!current.has_filename()) current = current.parent_path();
  }
}

void Watcher::watch(std::vector<std::string> paths) {
  for (const int watch : watches_) ::inotify_rm_watch(fd_, watch);
  watches_.clear();
  if (fd_ >= 0) missing_.clear();
  paths_ = std::move(paths);
  for (const auto& path : paths_) {
    addFolders(path);
    std::error_code error;
    if (!fs::is_directory(path, error)) continue;
    add(path);
    walk(path, [&](const std::string& below, bool folder) {
      if (folder) add(below);
    });
  }
}

void Watcher::drainEvents() {
  char buffer[16 << 10];
  while (fd_ >= 0 && ::read(fd_, buffer, sizeof buffer) > 0) {
  }
}

std::string Watcher::fingerprint() const {
  std::string out;
  for (const auto& path : paths_) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      out += look(path);
      continue;
    }
    std::vector<std::string> lines;
    walk(path, [&](const std::string& below, bool folder) {
      if (!folder && isPolicy(fs::path(below).lexically_relative(path).string())) lines.push_back(look(below));
    });
    std::sort(lines.begin(), lines.end());
    out += path + "\n";
    for (const auto& line : lines) out += line;
  }
  return out;
}

}  // namespace yett::app
