// Files and ports, by Landlock (Linux 5.13 and later).
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/sandbox.h"

namespace yett::sandbox {
namespace {

// The kernel's interface. Its header in Debian 12 knows only version 2.
enum : uint64_t {
  kExecute = 1 << 0,
  kWriteFile = 1 << 1,
  kReadFile = 1 << 2,
  kReadDir = 1 << 3,
  kRemoveDir = 1 << 4,
  kRemoveFile = 1 << 5,
  kMakeChar = 1 << 6,
  kMakeDir = 1 << 7,
  kMakeReg = 1 << 8,
  kMakeSock = 1 << 9,
  kMakeFifo = 1 << 10,
  kMakeBlock = 1 << 11,
  kMakeSym = 1 << 12,
  kRefer = 1 << 13,     // version 2
  kTruncate = 1 << 14,  // 3
  kIoctlDev = 1 << 15,  // 5
  kBindTcp = 1 << 0,    // 4
  kConnectTcp = 1 << 1,
  kScopeAbstractSocket = 1 << 0,  // 6
  kScopeSignal = 1 << 1,
};

struct RulesetAttr {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};
struct NetPortAttr {
  uint64_t allowed_access;
  uint64_t port;
};
constexpr int kRuleNetPort = 2;

constexpr uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDev;
constexpr uint64_t kRead = kReadFile | kReadDir;
constexpr uint64_t kWrite = kRead | kWriteFile | kTruncate | kMakeReg | kMakeSock | kRemoveFile;

uint64_t handledBy(int version) {
  uint64_t out = (kMakeSym << 1) - 1;
  if (version >= 2) out |= kRefer;
  if (version >= 3) out |= kTruncate;
  if (version >= 5) out |= kIoctlDev;
  return out;
}

class Ruleset {
 public:
  Ruleset(int version, bool ports) : handled_(handledBy(version)) {
    RulesetAttr attr{handled_, ports ? kBindTcp | kConnectTcp : uint64_t{0}, 0};
    size_t size = version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    if (version >= 6) {
      attr.scoped = kScopeSignal | kScopeAbstractSocket;
      size = sizeof attr;
    }
    fd_ = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, size, 0));
  }
  Ruleset(const Ruleset&) = delete;
  ~Ruleset() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool good() const { return fd_ >= 0; }

  // A path that does not exist is left out.
  Status path(const std::string& path, uint64_t access) {
    const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) return {};
    struct stat info {};
    const bool folder = ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    landlock_path_beneath_attr attr{};
    attr.allowed_access = access & handled_ & (folder ? ~uint64_t{0} : kOfFiles);
    attr.parent_fd = fd;
    const long added = ::syscall(SYS_landlock_add_rule, fd_, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
    const int why = errno;
    ::close(fd);
    if (added != 0 && why != EBADFD) return Error{"landlock: " + path + ": " + std::strerror(why)};
    return {};
  }
  Status port(uint16_t port, uint64_t access) {
    const NetPortAttr attr{access, port};
    if (::syscall(SYS_landlock_add_rule, fd_, kRuleNetPort, &attr, 0) == 0) return {};
    return Error{"landlock: port " + std::to_string(port) + ": " + std::strerror(errno)};
  }
  Status enforce() {
    if (::syscall(SYS_landlock_restrict_self, fd_, 0) == 0) return {};
    return Error{std::string("landlock: ") + std::strerror(errno)};
  }

 private:
  uint64_t handled_;
  int fd_ = -1;
};

}  // namespace

Status restrictPaths(const Plan& plan, Applied& out) {
  const auto version =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  if (version < 1) {
    out.weaker.push_back(std::string(errno == EPERM ? "the service manager or the container forbids Landlock"
                                                    : "this kernel has no Landlock, or it is not enabled") +
                         ": files and ports are not restricted");
    return {};
  }
  out.ports = version >= 4 && !plan.any_port;
  std::string lacks;
  if (version < 3) lacks += "truncation (Linux 6.2), ";
  if (version < 4) lacks += "ports (6.7), ";
  if (version < 6) lacks += "signals to other processes and abstract sockets (6.12), ";
  if (!lacks.empty())
    out.weaker.push_back("this kernel's Landlock does not restrict " + lacks.substr(0, lacks.size() - 2));
  Ruleset rules(version, out.ports);
  if (!rules.good()) return Error{std::string("landlock: ") + std::strerror(errno)};
  for (const auto& path : plan.read) TRY(rules.path(path, kRead));
  for (const auto& path : plan.write) TRY(rules.path(path, kWrite));
  for (const uint16_t port : out.ports ? plan.bind : std::set<uint16_t>()) TRY(rules.port(port, kBindTcp));
  for (const uint16_t port : out.ports ? plan.connect : std::set<uint16_t>()) TRY(rules.port(port, kConnectTcp));
  TRY(rules.enforce());
  out.landlock = version;
  return {};
}

}  // namespace yett::sandbox
