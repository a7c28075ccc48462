#include "sandbox/sandbox.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

namespace yett::sandbox {

static Error failed(const char* what) {
  return Error{std::string(what) + ": " + std::strerror(errno)};
}

Status giveUpPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // needs a capability itself
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  // A service manager may have taken them already, and forbid even this call.
  if (::syscall(SYS_capget, &header, held) != 0 || std::memcmp(held, none, sizeof none) != 0) {
    if (::syscall(SYS_capset, &header, none) != 0) return failed("capset");
  }
#ifndef YETT_CHECKS  // sanitizers look at the process from outside, and write into code
  const rlimit no_core{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);  // the next line prevents a core dump too
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("PR_SET_DUMPABLE");
  // Linux 6.3; the filter of system calls forbids more. Older kernels do without.
  (void)::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
#endif
  return {};
}

Result<Applied> apply(const Plan& plan) {
  Applied out;
  TRY(giveUpPrivileges());
  TRY(restrictPaths(plan, out));
#ifdef YETT_CHECKS
  out.weaker.emplace_back("this build has a sanitizer, which needs system calls that are otherwise forbidden");
#else
  TRY(restrictCalls(plan, out));
#endif
  return out;
}

}  // namespace yett::sandbox
