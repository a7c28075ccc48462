// A rule-engine plugin that tries to do what an attacker would, for the tests of the sandbox. Its settings name the
// attempt; the decision's rule says how it ended.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "yett/plugin.h"

namespace {

int opened(const char* path, int flags) {
  const int fd = ::open(path, flags, 0600);
  if (fd >= 0) ::close(fd);
  return fd;
}

int reach(const char* port, bool listens) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  const int result = listens ? ::bind(fd, to, sizeof address) : ::connect(fd, to, sizeof address);
  const int why = errno;
  ::close(fd);
  errno = why;
  return result;
}

// Less than 0, and errno, if it failed.
long attempt(const std::string& what, const std::string& with) {
  const char* arg = with.c_str();
  if (what == "read") return opened(arg, O_RDONLY);
  if (what == "write") return opened(arg, O_WRONLY | O_CREAT);
  if (what == "exec") {
    char* const arguments[] = {const_cast<char*>(arg), nullptr};
    return ::execv(arg, arguments);
  }
  if (what == "fork") return ::fork();
  if (what == "vfork") return ::syscall(SYS_vfork);
  if (what == "clone") return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (what == "ptrace") return ::ptrace(PTRACE_ATTACH, std::atoi(arg), nullptr, nullptr);
  if (what == "kill") return ::kill(std::atoi(arg), 0);
  if (what == "raw") return ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  if (what == "packet") return ::socket(AF_PACKET, SOCK_DGRAM, 0);
  if (what == "vsock") return ::socket(AF_VSOCK, SOCK_STREAM, 0);
  if (what == "netlink") return ::socket(AF_NETLINK, SOCK_RAW, 9);
  if (what == "route") return ::socket(AF_NETLINK, SOCK_RAW, 0);
  if (what == "connect") return reach(arg, false);
  if (what == "listen") return reach(arg, true);
  if (what == "mount") return ::mount("none", "/mnt", "tmpfs", 0, nullptr);
  if (what == "unshare") return ::syscall(SYS_unshare, 0x10000000);
  if (what == "keyctl") return ::syscall(SYS_keyctl, 0, -3, 0);
  if (what == "bpf") return ::syscall(SYS_bpf, 0, nullptr, 0);
  if (what == "io_uring") return ::syscall(SYS_io_uring_setup, 1, nullptr);
  if (what == "mptcp") return ::socket(AF_INET, SOCK_STREAM, 262);
  if (what == "sctp") return ::socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
  if (what == "fastopen") {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::atoi(arg)));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::sendto(fd, "x", 1, MSG_FASTOPEN, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  if (what == "prlimit") {
    const rlimit none{4, 4};
    return ::prlimit(std::atoi(arg), RLIMIT_NOFILE, &none, nullptr);
  }
  if (what == "chmod") return ::chmod(arg, 0777);
  if (what == "chown") return ::chown(arg, 0, 0);
  if (what == "utime") return ::utimensat(AT_FDCWD, arg, nullptr, 0);
  if (what == "xattr") return ::setxattr(arg, "user.a", "b", 1, 0);
  if (what == "shm") return ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  if (what == "abstract") {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path + 1, arg, with.size());
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&to),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + with.size()));
  }
  if (what == "execmem") {
    const int fd = ::open(arg, O_RDWR | O_CREAT, 0600);
    if (::ftruncate(fd, 4096) != 0) return -1;
    return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0;
  }
  if (what == "setuid") return ::setuid(0);
  if (what == "capset") {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {{1, 1, 0}, {0, 0, 0}};
    return ::syscall(SYS_capset, &header, data);
  }
  errno = ENOTSUP;
  return -1;
}

int create(yett_text settings, void** instance, char*, size_t) {
  *instance = new std::string(settings.data, settings.size);
  const int fd = ::open("/etc/shadow", O_RDONLY);  // a plugin is loaded in the sandbox too
  if (fd < 0) return 0;
  ::close(fd);
  return 1;
}

int evaluate(void*, const yett_accessors_v1* read, yett_request* request, yett_answer_v1* answer) {
  yett_text what{};
  yett_text with{};
  if (read->text(request, "header", {"x-attempt", 9}, &what) != YETT_PRESENT) return YETT_ABSTAIN;
  std::string arg;
  const std::string name(what.data, what.size);
  if (read->text(request, "header", {"x-with", 6}, &with) == YETT_PRESENT) arg.assign(with.data, with.size);
  errno = 0;
  const long result = attempt(name, arg);
  std::snprintf(answer->rule, sizeof answer->rule, "%s", result >= 0 ? "done" : ::strerrorname_np(errno));
  return YETT_DENY;
}

void destroy(void* instance) {
  delete static_cast<std::string*>(instance);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const yett_plugin_v1* yett_plugin(void) {
  static constexpr yett_plugin_v1 kPlugin = {YETT_PLUGIN_ABI_V1, 0, "sandbox_probe", "1", create, evaluate, destroy};
  return &kPlugin;
}
