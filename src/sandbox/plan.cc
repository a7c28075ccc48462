#include "sandbox/plan.h"

#include <algorithm>
#include <filesystem>

namespace yett::sandbox {
namespace {

// Whether a folder or the path itself is among them.
bool within(const std::set<std::string>& allowed, const std::string& path) {
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& folder) {
    return folder == "/" || path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
  });
}

}  // namespace

std::vector<std::string> Plan::missing(const Plan& wanted) const {
  std::vector<std::string> out;
  for (const auto& path : wanted.read) {
    if (!within(read, path) && !within(write, path)) out.push_back("reading " + path);
  }
  for (const auto& path : wanted.write) {
    if (!within(write, path)) out.push_back("writing to " + path);
  }
  if (wanted.plugins && !plugins) out.emplace_back("loading a plugin");
  if (any_port) return out;
  for (const uint16_t port : wanted.bind) {
    if (!bind.contains(port)) out.push_back("listening on port " + std::to_string(port));
  }
  for (const uint16_t port : wanted.connect) {
    if (!connect.contains(port)) out.push_back("connecting to port " + std::to_string(port));
  }
  return out;
}

std::string Plan::text() const {
  std::string out;
  for (const auto& path : write) out += "write    " + path + "\n";
  for (const auto& path : read) out += "read     " + path + "\n";
  const auto ports = [&](const char* what, const std::set<uint16_t>& list) {
    out += what;
    for (const uint16_t port : list) out += (port == 0 ? " any free port" : " " + std::to_string(port));
    out += list.empty() ? " none\n" : "\n";
  };
  if (plugins) out += "load     plugins\n";
  if (any_port) return out + "ports    any\n";
  ports("listen  ", bind);
  ports("connect ", connect);
  return out;
}

bool isBroad(const std::string& folder) {
  static const std::set<std::string> broad = {
      "/",     "/etc", "/usr",   "/home",    "/var",      "/dev",     "/sys",       "/proc",    "/boot",    "/bin",
      "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", "/var/lib", "/var/log", "/etc/ssl"};
  return broad.contains(folder) || folder.starts_with("/dev/") || folder.starts_with("/proc/") ||
         folder.starts_with("/sys/");
}

std::string folderFor(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return isBroad(folder) ? path : folder;
}

void addSystem(Plan& plan) {
  for (const char* path : {"/lib",
                           "/lib64",
                           "/usr/lib",
                           "/usr/lib64",
                           "/usr/local/lib",  // libraries, also for name lookup
                           "/etc/ld.so.cache",
                           "/etc/hosts",
                           "/etc/resolv.conf",
                           "/etc/nsswitch.conf",
                           "/etc/host.conf",
                           "/etc/gai.conf",
                           "/etc/services",
                           "/etc/localtime",
                           "/etc/passwd",
                           "/etc/group",  // name lookup; names of users
                           "/run/systemd/resolve",
                           "/run/resolvconf",
                           "/run/NetworkManager",  // where resolv.conf may really be
                           "/etc/ssl/certs",
                           "/etc/ssl/openssl.cnf",
                           "/usr/share/ca-certificates",
                           "/usr/local/share/ca-certificates",
                           "/etc/pki/tls/certs",
                           "/etc/pki/ca-trust/extracted",  //
                           "/usr/share/zoneinfo",
                           "/usr/share/locale",
                           "/etc/machine-id",  //
                           "/proc/self",
                           "/proc/stat",
                           "/proc/meminfo",
                           "/proc/sys/kernel",
                           "/proc/sys/net",
                           "/sys/fs/cgroup",
                           "/sys/devices/system/cpu",
                           "/dev/urandom",
                           "/dev/random"})
    plan.read.insert(path);
  plan.write.insert("/dev/null");
}

}  // namespace yett::sandbox
