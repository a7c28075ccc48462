#include "app/confinement.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "runtime/sandbox_plan.h"

namespace yett::app {
namespace {

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

std::vector<std::string> Confinement::outside(const config::Config& config) const {
  std::vector<std::string> out;
  if (!plan) return out;
  for (const auto& what : plan->missing(runtime::sandboxPlan(config)))
    out.push_back("the sandbox does not allow " + what + ": needs a restart");
  return out;
}

bool hiddenBySandbox(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) return ::close(fd) != 0;
  return errno == EACCES && ::access(path.c_str(), R_OK) == 0;
}

Result<Confinement> confine(const config::Config& config, bool unsafe) {
  Confinement out;
  if (unsafe) return out;
  for (const auto& listener : config.listeners)
    TRY(openEarly(listener.address, "listener `" + listener.name + "`", out));
  TRY(openEarly(config.admin.address, "admin", out));
  if (auto problems = runtime::sandboxProblems(config); !problems.empty()) return Error{problems.front()};
  out.plan = runtime::sandboxPlan(config);
  auto applied = sandbox::apply(*out.plan);
  if (!applied) return Error{"the sandbox cannot be set up: " + applied.error().message};
  out.applied = std::move(applied).value();
  TRY(checkReadable(config));
  return out;
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
