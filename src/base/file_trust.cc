#include "base/file_trust.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <utility>

#include "base/file.h"

namespace yett::base {
namespace {

constexpr int kMaxLinks = 40;  // same as the kernel

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool readOnly(int fd) {
  struct statvfs info {};
  return ::fstatvfs(fd, &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

// Whether this is the private group that Debian and others create per user, without other members (same test as
// Debian's sshd).
bool isPrivateGroup(gid_t group, uid_t owner) {
  const passwd* user = ::getpwuid(owner);
  if (user == nullptr || user->pw_gid != group) return false;
  const std::string name = user->pw_name;
  const struct group* entry = ::getgrgid(group);
  if (entry == nullptr || name != entry->gr_name) return false;
  for (char** member = entry->gr_mem; *member != nullptr; ++member) {
    if (name != *member) return false;
  }
  return true;
}

// Whether anyone but the owner may write it.
bool othersWrite(const struct stat& info) {
  if ((info.st_mode & S_IWOTH) != 0) return true;
  return (info.st_mode & S_IWGRP) != 0 && !isPrivateGroup(info.st_gid, info.st_uid);
}

std::string octal(mode_t mode) {
  char out[8];
  std::snprintf(out, sizeof out, "%04o", mode & 07777u);
  return out;
}

}  // namespace

bool FileTrust::trusts(uid_t owner) const {
  return owner == 0 || owner == ::geteuid() || std::find(owners_.begin(), owners_.end(), owner) != owners_.end();
}

// One walk from the root to a file, through all symlinks, using descriptors.
class FileTrust::Walk {
 public:
  Walk(const FileTrust& trust, std::string path, Kind kind) : trust_(trust), path_(std::move(path)), kind_(kind) {}

  /// The opened file or folder.
  Result<int> run() {
    std::error_code error;
    const auto whole = std::filesystem::absolute(path_, error);
    if (error) return Error{path_ + ": the working directory cannot be found: " + error.message()};
    push(whole.string());
    TRY(toRoot());
    while (!parts_.empty()) {
      const std::string part = std::move(parts_.front());
      parts_.pop_front();
      TRY(step(part));
      if (file_.get() >= 0) return file_.release();
    }
    if (kind_ != Kind::kFolder) return Error{path_ + ": is not a regular file"};
    TRY(look(at_.get(), true));
    return at_.release();
  }
  /// The first problem found that was not refused (kWarn); "" if none.
  const std::string& doubt() const { return doubt_; }

 private:
  Error failed(const char* what) const { return Error{path_ + ": " + what + ": " + std::strerror(errno)}; }

  void push(const std::string& path) {
    std::deque<std::string> parts;
    for (const auto& part : std::filesystem::path(path)) {
      if (part != "/" && !part.empty() && part != ".") parts.push_back(part.string());
    }
    parts_.insert(parts_.begin(), parts.begin(), parts.end());
  }

  Status toRoot() {
    at_ = Descriptor(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    shown_.clear();
    return at_.get() >= 0 ? Status() : Status(failed("cannot open"));
  }

  Status step(const std::string& part) {
    TRY(look(at_.get(), false));
    Descriptor next(::openat(at_.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (next.get() < 0 || ::fstat(next.get(), &info) != 0) return failed("cannot open");
    if (S_ISLNK(info.st_mode)) return follow(next.get());
    if (S_ISDIR(info.st_mode)) {
      shown_ += "/" + part;
      at_ = std::move(next);
      return {};
    }
    if (!parts_.empty() || kind_ == Kind::kFolder) return Error{path_ + ": is not a folder"};
    if (!S_ISREG(info.st_mode)) return Error{path_ + ": is not a regular file"};
    // Not opened by path again: the file that was checked is the one read.
    file_ = Descriptor(::openat(at_.get(), part.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file_.get() < 0) return failed("cannot open");
    return lookAtFile();
  }

  Status follow(int link) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(link, "", target, sizeof target - 1);
    if (size <= 0) return failed("cannot read a link");
    if (++links_ > kMaxLinks) return Error{path_ + ": too many links"};
    target[size] = '\0';
    push(target);
    return target[0] == '/' ? toRoot() : Status();
  }

  // Checks a folder on the path, or the folder whose listing counts (`listed`).
  Status look(int fd, bool listed) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return failed("cannot stat");
    const std::string folder = shown_.empty() ? "/" : shown_;
    const bool open = (listed || (info.st_mode & S_ISVTX) == 0) && othersWrite(info);
    if ((!open && trust_.trusts(info.st_uid)) || readOnly(fd)) return {};
    if (open)
      return object(folder + ": mode " + octal(info.st_mode) + ": others may write into this folder: run `chmod " +
                    ((info.st_mode & S_IWOTH) != 0 ? "go-w" : "g-w") + "` on it");
    return object(folder + ": user " + std::to_string(info.st_uid) + " owns this folder" + owners());
  }

  Status lookAtFile() {
    struct stat info {};
    if (::fstat(file_.get(), &info) != 0) return failed("cannot stat");
    if (!S_ISREG(info.st_mode)) return Error{path_ + ": is not a regular file"};
    if (!trust_.trusts(info.st_uid))
      return object(path_ + ": user " + std::to_string(info.st_uid) + " owns this file" + owners());
    const mode_t mode = info.st_mode & 07777u;
    if (kind_ == Kind::kSecret) {
      if ((mode & ~(S_IRUSR | S_IWUSR | S_IRGRP)) == 0) return {};
      return object(path_ + ": mode " + octal(mode) +
                    ": others may read or write this key: it must be 0400, 0440, 0600 or 0640 (in Kubernetes "
                    "`defaultMode: 0440`): run `chmod 0600` on it");
    }
    if (!othersWrite(info) || readOnly(file_.get())) return {};
    return object(path_ + ": mode " + octal(mode) + ": group or others may write to it: run `chmod go-w` on it");
  }

  std::string owners() const {
    return ": the owner must be root, Yett's own user (" + std::to_string(::geteuid()) +
           ") or one of `trusted_owners`: run `chown` on it, or add the user there";
  }

  Status object(std::string what) {
    if (trust_.mode_ == Mode::kRefuse) return Error{std::move(what)};
    if (doubt_.empty()) doubt_ = std::move(what);
    return {};
  }

  const FileTrust& trust_;
  const std::string path_;
  const Kind kind_;
  std::deque<std::string> parts_;  // still to walk
  std::string shown_;              // the path of at_
  Descriptor at_;
  Descriptor file_;
  std::string doubt_;
  int links_ = 0;
};

Result<int> FileTrust::open(const std::string& path, Kind kind) {
  Walk walk(*this, path, kind);
  auto out = walk.run();
  if (out && !walk.doubt().empty() && std::find(warnings_.begin(), warnings_.end(), walk.doubt()) == warnings_.end())
    warnings_.push_back(walk.doubt());
  return out;
}

Result<std::string> FileTrust::readAs(const std::string& path, Kind kind, size_t limit) {
  const Descriptor file(TRY(open(path, kind)));
  return readDescriptor(file.get(), path, limit);
}

Result<std::string> FileTrust::read(const std::string& path, size_t limit) {
  return readAs(path, Kind::kFile, limit);
}

Result<std::string> FileTrust::readSecret(const std::string& path, size_t limit) {
  return readAs(path, Kind::kSecret, limit);
}

Status FileTrust::checkFolder(const std::string& path) {
  const Descriptor folder(TRY(open(path, Kind::kFolder)));
  return {};
}

Result<std::string> readSecretFile(const std::string& path, const std::vector<uid_t>& owners) {
  return FileTrust(FileTrust::Mode::kRefuse, owners).readSecret(path);
}

}  // namespace yett::base
