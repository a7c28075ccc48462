#include "base/resources.h"

#include <pwd.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>

namespace yett::base {
namespace {

std::string firstLine(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

// Calls `look` for the cgroup's own folder and each folder above it: the limits of all of them apply. `controller`: the
// name in cgroup v1; v2 has one tree for all controllers.
void eachFolder(const std::string& root, const std::string& controller,
                const std::function<void(const std::string& folder, bool v2)>& look) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find("," + controller + ",") == std::string::npos) continue;
    const std::string top = root + "/sys/fs/cgroup" + (v2 ? "" : "/" + controllers);
    // Inside a container the path may be the host's, and the container's own folder is the top.
    for (std::string path = line.substr(second + 1); !path.empty() && path != "/"; path.erase(path.rfind('/')))
      look(top + path, v2);
    look(top, v2);
  }
}

}  // namespace

double cgroupCpus(const std::string& root) {
  double least = 0;
  const auto take = [&](double quota, double period) {
    if (quota > 0 && period > 0 && (least == 0 || quota / period < least)) least = quota / period;
  };
  eachFolder(root, "cpu", [&](const std::string& folder, bool v2) {
    double quota = 0;
    double period = 0;
    if (v2) {
      std::istringstream line(firstLine(folder + "/cpu.max"));  // "max 100000" if there is no quota
      if (line >> quota >> period) take(quota, period);
      return;
    }
    std::istringstream(firstLine(folder + "/cpu.cfs_quota_us")) >> quota;
    std::istringstream(firstLine(folder + "/cpu.cfs_period_us")) >> period;
    take(quota, period);
  });
  return least;
}

uint64_t cgroupMemory(const std::string& root) {
  uint64_t least = 0;
  eachFolder(root, "memory", [&](const std::string& folder, bool v2) {
    uint64_t limit = 0;
    std::istringstream line(firstLine(folder + (v2 ? "/memory.max" : "/memory.limit_in_bytes")));
    // cgroup v1 expresses "no limit" as a number close to the maximum.
    if (line >> limit && limit > 0 && limit < (uint64_t{1} << 60) && (least == 0 || limit < least)) least = limit;
  });
  return least;
}

unsigned usableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  unsigned count = 1;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) count = static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
  const double quota = cgroupCpus("");
  return quota > 0 ? std::clamp(static_cast<unsigned>(std::ceil(quota)), 1u, count) : count;
}

uint64_t usableMemory() {
  const auto host = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t limit = cgroupMemory("");
  return limit > 0 ? std::min(limit, host) : host;
}

uint64_t descriptorLimit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

std::string hostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "-";
}

std::string userName(int64_t uid) {
  if (uid < 0) return "an unknown user";
  std::string buffer(16 << 10, '\0');
  passwd entry{};
  passwd* found = nullptr;
  ::getpwuid_r(static_cast<uid_t>(uid), &entry, buffer.data(), buffer.size(), &found);
  return "uid " + std::to_string(uid) + (found != nullptr ? std::string(" (") + entry.pw_name + ")" : "");
}

}  // namespace yett::base
