#include "app/confinement.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "runtime/sandbox_plan.h"

namespace yett::app {
namespace {

std::pair<uint64_t, uint64_t> identityOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {0, 0};
  return {info.st_dev, info.st_ino};
}

bool privileged(const std::string& address) {
  constexpr uint64_t kFirstFree = 1024;
  uint64_t port = 0;
  if (address.find("://") != std::string::npos) return false;
  return base::parseUnsigned(address.substr(address.rfind(':') + 1), port) && port > 0 && port < kFirstFree;
}

Status openEarly(const std::string& address, const std::string& what, Confinement& out) {
  if (!privileged(address) || out.early.contains(address)) return {};
  auto socket = net::ListeningSocket::open(address, 0600);
  if (!socket) return std::move(socket).error().within(what);
  out.early[address] = std::move(socket).value();
  return {};
}

// Root reads the files of others only with a capability.
Status checkReadable(const config::Config& config) {
  for (const auto& path : runtime::sourcesOf(config)) {
    if (::access(path.c_str(), R_OK) == 0 || errno == ENOENT) continue;
    return Error{path + " could not be read again after Yett gave up its capabilities: " + std::strerror(errno) +
                 ": make user " + std::to_string(::geteuid()) + " its owner, or let its group or all read it"};
  }
  return {};
}

}  // namespace

// The kernel keeps the folders that it was given, whatever their names stand for later. One that holds `path` and is
// still the same suffices.
std::string Confinement::whyReplaced(const std::string& path) const {
  std::string first;
  for (std::string at = path;; at = std::filesystem::path(at).parent_path().string()) {
    const auto known = identities.find(at);
    if (known != identities.end()) {
      if (identityOf(at) == known->second) return {};
      if (first.empty()) first = at;
    }
    if (at == "/" || at.empty()) break;
  }
  if (first.empty()) return {};
  return first +
         " was replaced since the start, and the sandbox does not allow reading the new one: needs a restart, or name "
         "a folder above it in `sandbox.paths`";
}

std::vector<std::string> Confinement::outside(const config::Config& config) const {
  std::vector<std::string> out;
  if (!plan) return out;
  const auto wanted = runtime::sandboxPlan(config);
  for (const auto& what : plan->missing(wanted))
    out.push_back("the sandbox does not allow " + what + ": needs a restart");
  for (const auto& path : runtime::sourcesOf(config)) {
    std::string why = whyReplaced(path);
    if (!why.empty() && std::find(out.begin(), out.end(), why) == out.end()) out.push_back(std::move(why));
  }
  return out;
}

Result<Confinement> confine(const config::Config& config, bool unsafe) {
  Confinement out;
  if (unsafe) return out;
  for (const auto& listener : config.listeners)
    TRY(openEarly(listener.address, "listener `" + listener.name + "`", out));
  TRY(openEarly(config.admin.address, "admin", out));
  if (auto problems = runtime::sandboxProblems(config); !problems.empty()) return Error{problems.front()};
  // Modes cannot be changed later. A file that does not exist yet is created with this one.
  for (const auto& path : {config.audit.database, config.cache.database}) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == ::geteuid())
      (void)::chmod(path.c_str(), 0600);
  }
  out.plan = runtime::sandboxPlan(config);
  for (const auto* paths : {&out.plan->read, &out.plan->write}) {
    for (const auto& path : *paths) {
      if (const auto identity = identityOf(path); identity.second != 0) out.identities[path] = identity;
    }
  }
#ifndef YETT_CHECKS  // sanitizers have threads of their own
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  if (!error && std::distance(begin(tasks), end(tasks)) > 1)
    return Error{"the sandbox cannot be set up: another thread runs already, which it would not confine"};
#endif
  auto applied = sandbox::apply(*out.plan);
  if (!applied) return Error{"the sandbox cannot be set up: " + applied.error().message};
  out.applied = std::move(applied).value();
  TRY(checkReadable(config));
  return out;
}

Result<Confinement> confineFor(const std::string& config_file, bool unsafe) {
  config::Problems problems(config_file);
  base::FileTrust trust;
  const auto config = config::readConfig(config_file, problems, trust);
  if (problems.any()) return Confinement{};
  return confine(config, unsafe);
}

void tell(const Confinement& confinement, base::Logger& log) {
  if (!confinement.plan) return log.warning("no sandbox", {{"why", "--unsafe-no-sandbox"}});
  const auto& applied = confinement.applied;
  for (const auto& why : applied.weaker) log.warning("the sandbox is weaker than it could be", {{"why", why}});
  log.info("sandbox", {{"files", applied.landlock > 0 ? "restricted" : "not restricted"},
                       {"ports", applied.ports ? "restricted" : "not restricted"},
                       {"calls", applied.calls ? "restricted" : "not restricted"}});
}

}  // namespace yett::app
