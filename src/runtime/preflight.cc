#include "runtime/preflight.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/clock.h"
#include "base/file.h"
#include "base/resources.h"
#include "base/units.h"
#include "config/config.h"
#include "identity/own_certificate.h"
#include "net/listener.h"
#include "upstream/endpoint.h"

namespace yett::runtime {
namespace {

constexpr std::string_view kUnix = "unix://";

std::string folderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// `what` names the setting.
void checkWritable(const std::string& what, const std::string& path, bool inside, Preflight& out) {
  const std::string folder = folderOf(path);
  const std::string me = base::userName(::geteuid());
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) {
    out.problems.push_back(
        what + ": the folder " + folder + " " +
        (errno == ENOENT ? "does not exist: create it" : std::string("cannot be accessed: ") + std::strerror(errno)));
  } else if (!S_ISDIR(info.st_mode)) {
    out.problems.push_back(what + ": " + folder + " is not a folder");
  } else if (inside && ::access(folder.c_str(), W_OK | X_OK) != 0) {
    out.problems.push_back(what + ": " + me + " cannot create files in " + folder + ": " + std::strerror(errno));
  } else if (::access(path.c_str(), F_OK) == 0 && ::access(path.c_str(), R_OK | W_OK) != 0) {
    out.problems.push_back(what + ": " + me + " cannot write " + path + ": " + std::strerror(errno));
  }
}

void checkSocketPath(const std::string& what, const std::string& path, Preflight& out) {
  constexpr size_t kMax = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kMax)
    return out.problems.push_back(what + ": " + path + " has " + std::to_string(path.size()) +
                                  " bytes; a socket path can have at most " + std::to_string(kMax));
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) return out.problems.push_back(what + ": " + path + " exists and is not a socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      out.notes.push_back(what + ": another process listens on " + path + " now (a running yett?)");
    if (fd >= 0) ::close(fd);
  }
  checkWritable(what, path, true, out);
}

void checkTcp(const std::string& what, const std::string& text, Preflight& out) {
  const auto address = net::parseAddress(text);
  if (!address) return out.problems.push_back(what + ": " + address.error().message);
  const auto& where = address.value();
  const int fd = ::socket(where.af(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int failed = ::bind(fd, where.addr(), where.length()) == 0 ? 0 : errno;
  ::close(fd);
  const std::string cannot = what + ": cannot listen on " + text + ": ";
  if (failed == EADDRINUSE)
    out.notes.push_back(what + ": another process listens on " + text + " now (a running yett?)");
  else if (failed == EACCES)
    out.problems.push_back(cannot + "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE");
  else if (failed == EADDRNOTAVAIL) out.problems.push_back(cannot + "no interface of this host has this address");
  else if (failed != 0) out.problems.push_back(cannot + std::strerror(failed));
}

// "0.0.0.0" and "[::]" take a port on every address.
bool overlaps(const std::string& a, const std::string& b) {
  const auto host = [](const std::string& text) { return text.substr(0, text.rfind(':')); };
  const auto all = [&](const std::string& text) { return host(text) == "0.0.0.0" || host(text) == "[::]"; };
  const auto tcp = [](const std::string& text) {
    return text.find("://") == std::string::npos && text.find(':') != std::string::npos;
  };
  if (!tcp(a) || !tcp(b)) return a == b;
  return a.substr(a.rfind(':')) == b.substr(b.rfind(':')) && (host(a) == host(b) || all(a) || all(b));
}

void checkAddress(const std::string& what, const std::string& text, std::map<std::string, std::string>& taken,
                  Preflight& out) {
  const bool any_port = text.ends_with(":0");
  for (const auto& [other, owner] : taken) {
    if (!any_port && overlaps(text, other))
      return out.problems.push_back(what + ": " + text + " is the address of " + owner + " too" +
                                    (text == other ? "" : ", as " + other));
  }
  if (!any_port) taken.emplace(text, what);
  if (text.starts_with("fd://")) return;
  if (text.starts_with(kUnix)) return checkSocketPath(what, text.substr(kUnix.size()), out);
  checkTcp(what, text, out);
}

void checkAddresses(const config::Config& config, Preflight& out) {
  std::map<std::string, std::string> taken;
  for (const auto& listener : config.listeners)
    checkAddress("listener `" + listener.name + "`", listener.address, taken, out);
  if (!config.admin.address.empty()) checkAddress("admin", config.admin.address, taken, out);
  if (!config.admin.socket.empty()) checkAddress("admin", std::string(kUnix) + config.admin.socket, taken, out);
  for (const auto& cluster : config.clusters) {
    for (const auto& endpoint : cluster.endpoints) {
      const std::string& address = endpoint.address;
      if (const auto own = taken.find(address); own != taken.end())
        out.warnings.push_back("cluster `" + cluster.name + "`: " + address + " is the address of " + own->second +
                               ": Yett would send requests to itself");
    }
  }
}

// A name may be unknown where the check runs, so this is no warning.
void lookUpNames(const config::Config& config, Preflight& out) {
  constexpr int64_t kPatience = 5'000'000'000;  // nanoseconds: a resolver without servers takes long for each name
  const int64_t began = base::steadyNanos();
  for (const auto& cluster : config.clusters) {
    for (const auto& endpoint : cluster.endpoints) {
      const auto target = upstream::parseTarget(endpoint.address);
      if (!target || target.value().kind != upstream::EndpointTarget::Kind::kName) continue;
      if (base::steadyNanos() - began > kPatience)
        return out.notes.push_back("names of further endpoints were not looked up: that takes too long here");
      const auto& [kind, name, port] = target.value();
      if (const auto found = net::parseAddresses(name + ":" + std::to_string(port)); !found)
        out.notes.push_back("cluster `" + cluster.name + "`: " + found.error().message + " here");
    }
  }
}

void checkCertificate(const Generation& generation, Preflight& out) {
  const auto& file = generation.config.identity.certificate;
  if (file.empty() || !generation.bundles) return;
  const auto pem = base::readFile(file);
  const int64_t now = base::wallMicros() / 1'000'000;
  const auto own = pem ? identity::readOwnCertificate(pem.value(), *generation.bundles, now)
                       : Result<identity::OwnCertificate>(pem.error());
  if (!own) return out.warnings.push_back("identity: " + file + ": " + own.error().message);
  const auto& it = own.value();
  const std::string valid = identity::validFor(it.not_after, now);
  out.certificate = (it.spiffe_id.empty() ? "no SPIFFE ID" : it.spiffe_id) + ", valid " + valid + ", " +
                    std::to_string(it.certificates) + (it.certificates == 1 ? " certificate" : " certificates");
  if (it.not_after < now) out.warnings.push_back("identity: " + file + " is valid " + valid + ": callers refuse it");
  else if (it.not_before > now) out.warnings.push_back("identity: " + file + " is not valid yet: callers refuse it");
  else if (!it.doubt.empty())
    out.warnings.push_back("identity: callers with the bundle of its own trust domain refuse " + file + ": " +
                           it.doubt + " (is an intermediate certificate missing?)");
}

void noteEndpoints(const Generation& generation, Preflight& out) {
  const int64_t now = base::wallMicros() / 1'000'000;
  for (const auto& [domain, bundle] : generation.config.identity.trust_bundles) {
    if (bundle.endpoint.empty() || identity::isFresh(bundle, now)) continue;
    out.notes.push_back("identity: the endpoint of " + domain + " has not answered " +
                        (identity::historyOf(bundle).refreshed == 0 ? "yet" : "for too long") +
                        (bundle.file.empty() ? ": its callers are refused until it does" : ""));
  }
}

void checkCrls(const Generation& generation, Preflight& out) {
  if (!generation.bundles) return;
  const int64_t now = base::wallMicros() / 1'000'000;
  for (const auto& [domain, bundle] : generation.bundles->all()) {
    if (bundle->revocations && !bundle->revocations->unused().empty())
      out.warnings.push_back("identity: a CRL of " + domain + " is not used: " + bundle->revocations->unused());
    if (!bundle->revocations || bundle->revocations->nextUpdate() == 0 || bundle->revocations->nextUpdate() > now)
      continue;
    out.warnings.push_back("identity: the CRL of " + domain + " is valid " +
                           identity::validFor(bundle->revocations->nextUpdate(), now) +
                           (bundle->crl_required ? ": callers are refused" : ": later revocations are not known"));
  }
}

void checkDisk(const config::Config& config, Preflight& out) {
  struct statvfs info {};
  if (::statvfs(folderOf(config.audit.database).c_str(), &info) != 0) return;
  const uint64_t free = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  const uint64_t size = config.audit.retention_size;
  out.disk = base::formatSize(free) + " free for the audit log, which " +
             (size > 0                                 ? "is limited to " + base::formatSize(size)
              : config.audit.retention_age.count() > 0 ? "deletes only by age"
                                                       : "is never deleted (set `audit.retention`)");
  if (size > free)
    out.warnings.push_back("audit: `retention.size` is " + base::formatSize(size) + ", and " + base::formatSize(free) +
                           " are free in " + folderOf(config.audit.database));
}

}  // namespace

Preflight preflight(const Generation& generation) {
  Preflight out;
  const auto& config = generation.config;
  checkAddresses(config, out);
  lookUpNames(config, out);
  checkWritable("audit", config.audit.database, true, out);
  if (!config.cache.database.empty()) checkWritable("cache", config.cache.database, true, out);
  if (config.access_log != "stdout" && config.access_log != "off")
    checkWritable("access_log", config.access_log, ::access(config.access_log.c_str(), F_OK) != 0, out);
  for (const auto& sink : config.sinks) {
    if (!sink.path.empty()) checkWritable("sink `" + sink.name + "`", sink.path, true, out);
  }
  checkCertificate(generation, out);
  if (!config.identity.unsafe_key_log.empty())
    out.warnings.push_back("identity: `unsafe_tls_key_log`: whoever has this file can read all traffic");
  checkCrls(generation, out);
  noteEndpoints(generation, out);
  checkDisk(config, out);
  return out;
}

}  // namespace yett::runtime
