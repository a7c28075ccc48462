// System calls, by seccomp.
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "sandbox/sandbox.h"

namespace yett::sandbox {
namespace {

// Other programs, other processes, the kernel, its keys and its clock: Yett needs none of them. A call fails with
// EPERM, as without the privilege.
constexpr const char* kForbidden[] = {"execve",
                                      "execveat",
                                      "fork",
                                      "vfork",
                                      "ptrace",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "process_madvise",
                                      "pidfd_getfd",
                                      "kcmp",
                                      "mount",
                                      "umount2",
                                      "mount_setattr",
                                      "move_mount",
                                      "open_tree",
                                      "fsopen",
                                      "fsconfig",
                                      "fsmount",
                                      "fspick",
                                      "pivot_root",
                                      "chroot",
                                      "unshare",
                                      "setns",
                                      "keyctl",
                                      "add_key",
                                      "request_key",
                                      "init_module",
                                      "finit_module",
                                      "delete_module",
                                      "kexec_load",
                                      "kexec_file_load",
                                      "bpf",
                                      "perf_event_open",
                                      "userfaultfd",
                                      "io_uring_setup",
                                      "io_uring_enter",
                                      "io_uring_register",
                                      "open_by_handle_at",
                                      "name_to_handle_at",
                                      "fanotify_init",
                                      "mknod",
                                      "mknodat",
                                      "swapon",
                                      "swapoff",
                                      "reboot",
                                      "acct",
                                      "quotactl",
                                      "syslog",
                                      "iopl",
                                      "ioperm",
                                      "sethostname",
                                      "setdomainname",
                                      "settimeofday",
                                      "clock_settime",
                                      "clock_adjtime",
                                      "adjtimex",
                                      "personality",
                                      "vhangup",
                                      "lookup_dcookie",
                                      "setuid",
                                      "setgid",
                                      "setreuid",
                                      "setregid",
                                      "setresuid",
                                      "setresgid",
                                      "setfsuid",
                                      "setfsgid",
                                      "setgroups",
                                      "capset",
                                      "chown",
                                      "lchown",
                                      "fchown",
                                      "fchownat",
                                      "chmod",
                                      "fchmodat",
                                      "fchmodat2",
                                      "setxattr",
                                      "lsetxattr",
                                      "fsetxattr",
                                      "setxattrat",
                                      "removexattr",
                                      "lremovexattr",
                                      "fremovexattr",
                                      "removexattrat",
                                      "utime",
                                      "utimes",
                                      "futimesat",
                                      "utimensat",
                                      "msgget",
                                      "semget",
                                      "shmget",
                                      "setpriority",
                                      "ioprio_set",
                                      "sched_setaffinity",
                                      "sched_setattr",
                                      "sched_setparam",
                                      "sched_setscheduler",
                                      "memfd_secret",
                                      "modify_ldt"};

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ALLOW), ::seccomp_release) {}
  bool good() const { return context_ != nullptr; }

  void forbid(const char* name) {
    const int call = ::seccomp_syscall_resolve_name(name);
    if (call != __NR_SCMP_ERROR) note(::seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(EPERM), call, 0));
  }
  template <typename... Compare>
  void forbidIf(int call, Compare... compare) {
    note(::seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(EPERM), call, sizeof...(compare), compare...));
  }
  void answer(int call, int error) { note(::seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(error), call, 0)); }
  Status load() {
    note(::seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)));
    if (error_ == 0) note(::seccomp_load(context_.get()));
    if (error_ == 0) return {};
    return Error{std::string("seccomp: ") + std::strerror(-error_)};
  }

 private:
  // A rule that cannot exist on this architecture is left out.
  void note(int result) {
    if (result < 0 && result != -EDOM && result != -EEXIST && error_ == 0) error_ = result;
  }
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int error_ = 0;
};

// Only TCP, UDP and Unix sockets; and netlink for routes, which the resolver asks. Other protocols (MPTCP, SCTP), raw
// sockets, and TCP Fast Open would pass by the rules for ports.
void restrictSockets(Filter& filter) {
  const int call = SCMP_SYS(socket);
  for (int family = 0; family <= AF_NETLINK; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK) continue;
    filter.forbidIf(call, SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
  }
  filter.forbidIf(call, SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
  filter.forbidIf(call, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_NE, 0));  // NETLINK_ROUTE
  for (const int family : {AF_INET, AF_INET6}) {
    for (const int type : {SOCK_RAW, SOCK_PACKET})
      filter.forbidIf(call, SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)),
                      SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, static_cast<scmp_datum_t>(type)));
    const scmp_arg_cmp of_family = SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family));
    for (int protocol = 1; protocol < IPPROTO_UDP; ++protocol) {
      if (protocol != IPPROTO_TCP)
        filter.forbidIf(call, of_family, SCMP_A2(SCMP_CMP_EQ, static_cast<scmp_datum_t>(protocol)));
    }
    filter.forbidIf(call, of_family, SCMP_A2(SCMP_CMP_GT, IPPROTO_UDP));
  }
  filter.forbidIf(SCMP_SYS(sendto), SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
  filter.forbidIf(SCMP_SYS(sendmsg), SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
  filter.forbidIf(SCMP_SYS(sendmmsg), SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
  filter.forbidIf(SCMP_SYS(setsockopt), SCMP_A1(SCMP_CMP_EQ, IPPROTO_TCP), SCMP_A2(SCMP_CMP_EQ, TCP_FASTOPEN_CONNECT));
}

}  // namespace

Status restrictCalls(const Plan& plan, Applied& out) {
  Filter filter;
  if (!filter.good()) return Error{"seccomp: cannot make a filter"};
  for (const char* name : kForbidden) filter.forbid(name);
  if (!plan.plugins) filter.forbid("memfd_create");  // a plugin is loaded from a copy
  restrictSockets(filter);
  // Threads only. The arguments of clone3 are in memory, where a filter cannot look; the C library then uses clone.
  filter.forbidIf(SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  filter.answer(SCMP_SYS(clone3), ENOSYS);
  filter.forbidIf(SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_NE, 0));  // limits of other processes
  // Code that is also mapped for writing elsewhere.
  filter.forbidIf(SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC),
                  SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED, MAP_SHARED));
  const Status loaded = filter.load();
  out.calls = loaded.ok();
  // A container or a service manager may forbid filters.
  if (!loaded) out.weaker.push_back(loaded.error().message + ": system calls are not restricted");
  return {};
}

}  // namespace yett::sandbox
