// What the system lets this process have: CPUs, memory, descriptors. A container's share of the host counts, not the
// host.
#pragma once

#include <cstdint>
#include <string>

namespace yett::base {

/// CPUs that may be used: those the process may run on, and no more than the CPU quota of any cgroup it is in, rounded
/// up. At least 1.
unsigned usableCpus();

/// Bytes that the process may use: the smallest memory limit of the cgroups it is in, or the host's memory.
uint64_t usableMemory();

/// The most descriptors that the process may have open at once.
uint64_t descriptorLimit();

/// What the host is called; "-" where it has no name.
std::string hostName();

/// "uid 1000 (alice)"; "an unknown user" below 0.
std::string userName(int64_t uid);

/// `root`: where the files of /proc/self/cgroup and /sys/fs/cgroup are looked for, for tests. 0: there is no limit.
double cgroupCpus(const std::string& root);
uint64_t cgroupMemory(const std::string& root);

}  // namespace yett::base
