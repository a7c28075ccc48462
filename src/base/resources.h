// The CPUs, memory and descriptors available to this process. In a container this is the container's share, not the
// whole host.
#pragma once

#include <cstdint>
#include <string>

namespace yett::base {

/// The number of usable CPUs: those in the process's affinity mask, limited by the CPU quota of any cgroup it is in,
/// rounded up. At least 1.
unsigned usableCpus();

/// Bytes that the process may use: the smallest memory limit of the cgroups it is in, or the host's memory.
uint64_t usableMemory();

/// The most descriptors that the process may have open at once.
uint64_t descriptorLimit();

/// The host name, or "-" if it has none.
std::string hostName();

/// "uid 1000 (alice)"; "an unknown user" for a negative uid.
std::string userName(int64_t uid);

/// `root`: prefix of /proc/self/cgroup and /sys/fs/cgroup, for tests. Returns 0 if there is no limit.
double cgroupCpus(const std::string& root);
uint64_t cgroupMemory(const std::string& root);

}  // namespace yett::base
