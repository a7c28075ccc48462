#include "base/resources.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/temp_dir.h"

using namespace yett;

namespace {

void put(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("resources: the smallest CPU quota and memory limit of all cgroups of the process") {
  const test::TempDir dir;
  const std::string root = dir.path("root");
  CHECK(base::cgroupCpus(root) == 0);
  CHECK(base::cgroupMemory(root) == 0);
  put(root + "/proc/self/cgroup", "0::/kubepods/pod1/c1\n");
  put(root + "/sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "max 100000\n");
  put(root + "/sys/fs/cgroup/kubepods/pod1/cpu.max", "150000 100000\n");
  put(root + "/sys/fs/cgroup/kubepods/pod1/c1/memory.max", "268435456\n");
  put(root + "/sys/fs/cgroup/kubepods/memory.max", "max\n");
  CHECK(base::cgroupCpus(root) == 1.5);
  CHECK(base::cgroupMemory(root) == 256 << 20);
}

TEST_CASE("resources: cgroups v1, and a container that sees the host's cgroup path") {
  const test::TempDir dir;
  const std::string root = dir.path("root");
  put(root + "/proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n1:name=systemd:/docker/abc\n");
  put(root + "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
  put(root + "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  put(root + "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(base::cgroupCpus(root) == 0.5);
  CHECK(base::cgroupMemory(root) == 0);
}

TEST_CASE("resources: there is at least one CPU, some memory, and a descriptor limit") {
  CHECK(base::usableCpus() >= 1);
  CHECK(base::usableMemory() > (1 << 20));
  CHECK(base::descriptorLimit() > 3);
}
