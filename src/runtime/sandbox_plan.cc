#include "runtime/sandbox_plan.h"

#include <filesystem>

#include "base/text.h"
#include "sandbox/plan.h"
#include "sink/sink_config.h"

namespace yett::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnix = "unix://";

std::string folderOf(const std::string& path) {
  return fs::path(path).parent_path().string();
}

std::string absolute(const std::string& path) {
  std::error_code error;
  const fs::path out = fs::absolute(path, error).lexically_normal();
  return error || path.empty() ? path : out.string();
}

// For each link on the way to `path`: the folder that holds it, and that of its target.
void addLinks(const std::string& path, sandbox::Plan& out) {
  constexpr int kMaxLinks = 40;
  std::error_code error;
  fs::path rest = path;
  for (int links = 0; links < kMaxLinks;) {
    fs::path at;
    fs::path next;
    for (const auto& part : rest) {
      at /= part;
      if (!next.empty() || !fs::is_symlink(fs::symlink_status(at, error))) {
        if (!next.empty()) next /= part;
        continue;
      }
      const fs::path target = fs::read_symlink(at, error);
      if (error) return;
      next = (target.is_absolute() ? target : at.parent_path() / target).lexically_normal();
      out.read.insert(sandbox::folderFor(at.string()));
      out.read.insert(sandbox::folderFor(next.string()));
    }
    if (next.empty()) return;
    rest = next;
    ++links;
  }
}

// The file with its folder, and the folders of everything that links lead to.
void addRead(const std::string& named, sandbox::Plan& out) {
  if (named.empty()) return;
  const std::string path = absolute(named);
  out.read.insert(sandbox::folderFor(path));
  addLinks(path, out);
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (!error) out.read.insert(sandbox::folderFor(real.string()));
}

bool isDevice(const std::string& path) {
  return path.starts_with("/dev/") || path.starts_with("/proc/");
}

// Written files and the settings that name them.
std::vector<std::pair<const char*, std::string>> written(const config::Config& config) {
  std::vector<std::pair<const char*, std::string>> out = {{"audit.database", config.audit.database}};
  out.emplace_back("cache.database", config.cache.database);
  if (config.access_log != "stdout" && config.access_log != "off") out.emplace_back("access_log", config.access_log);
  out.emplace_back("admin.socket", config.admin.socket);
  out.emplace_back("identity.unsafe_tls_key_log", config.identity.unsafe_key_log);
  for (const auto& listener : config.listeners) {
    if (listener.address.starts_with(kUnix))
      out.emplace_back("listeners[].address", listener.address.substr(kUnix.size()));
  }
  for (const auto& sink : config.sinks) out.emplace_back("audit.sinks[].path", sink.path);
  std::erase_if(out, [](const auto& item) { return item.second.empty(); });
  for (auto& item : out) item.second = absolute(item.second);
  return out;
}

void addPort(const std::string& address, std::set<uint16_t>& out) {
  uint64_t port = 0;
  if (address.starts_with(kUnix)) return;
  if (base::parseUnsigned(address.substr(address.rfind(':') + 1), port)) out.insert(static_cast<uint16_t>(port));
}

void addUrlPort(const std::string& url, sandbox::Plan& out) {
  if (url.empty()) return;
  const std::string rest = url.substr(std::min(url.find("://") + 3, url.size()));
  const std::string host = rest.substr(0, rest.find('/'));
  const bool has_port = host.rfind(':') != std::string::npos && !host.ends_with(']');
  if (has_port) addPort(host, out.connect);
  else out.connect.insert(url.starts_with("https") ? 443 : 80);
}

void addSinkPort(const sink::SinkConfig& sink, sandbox::Plan& out) {
  addPort(sink.address, out.connect);
  if (sink.type == "kafka") out.any_port = true;  // brokers name others, with their ports
  addUrlPort(sink.url, out);
}

}  // namespace

std::vector<std::string> sourcesOf(const config::Config& config) {
  std::vector<std::string> out = {config.file};
  if (!config.identity.certificate.empty()) {
    out.push_back(config.identity.certificate);
    out.push_back(config.identity.private_key);
  }
  for (const auto& [domain, bundle] : config.identity.trust_bundles) {
    for (const auto& path : {bundle.file, bundle.crl, bundle.cache}) {
      if (!path.empty()) out.push_back(path);
    }
  }
  for (const auto& [name, provider] : config.jwt) {
    for (const auto& path : {provider.keys.file, provider.keys.cache}) {
      if (!path.empty()) out.push_back(path);
    }
  }
  for (const auto& cluster : config.clusters) {
    if (!cluster.tls.ca.empty()) out.push_back(cluster.tls.ca);
  }
  for (const auto* engines : {&config.engines, &config.shadow}) {
    for (const auto& engine : *engines) {
      out.push_back(engine.path);
      if (!engine.settings.empty()) out.push_back(engine.settings);
    }
  }
  return out;
}

sandbox::Plan sandboxPlan(const config::Config& config) {
  sandbox::Plan out;
  sandbox::addSystem(out);
  for (const auto& path : sourcesOf(config)) addRead(path, out);
  for (const auto& path :
       {config.audit.key_file, config.audit.previous_key_file, config.audit.mask_key_file, config.cache.key_file})
    addRead(path, out);
  for (const auto& sink : config.sinks) {
    for (const auto& path : {sink.bundle, sink.certificate, sink.private_key}) addRead(path, out);
    addSinkPort(sink, out);
  }
  for (const auto& [domain, bundle] : config.identity.trust_bundles) {
    addRead(bundle.ca, out);
    addUrlPort(bundle.endpoint, out);
  }
  for (const auto& [name, provider] : config.jwt) {
    addRead(provider.keys.ca, out);
    addUrlPort(provider.keys.endpoint, out);
  }
  std::error_code error;
  out.read.insert(fs::read_symlink("/proc/self/exe", error).string());
  for (const auto& [setting, path] : written(config)) {
    if (isDevice(path)) {  // such as /dev/stdout
      out.write.insert(path);
      continue;
    }
    out.write.insert(folderOf(path));
    const fs::path real = fs::weakly_canonical(path, error);
    if (!error) out.write.insert(folderOf(real.string()));
  }
  for (const auto& path : config.sandbox.paths) out.write.insert(absolute(path));
  for (const auto* engines : {&config.engines, &config.shadow}) {
    for (const auto& engine : *engines) out.plugins = out.plugins || engine.type == "plugin";
  }
  out.any_port = out.any_port || config.sandbox.any_port;
  for (const auto& listener : config.listeners) addPort(listener.address, out.bind);
  if (!config.admin.address.empty()) addPort(config.admin.address, out.bind);
  for (const auto& cluster : config.clusters) {
    for (const auto& endpoint : cluster.endpoints) {
      if (endpoint.address.starts_with("srv:")) out.any_port = true;  // the records name the ports
      else addPort(endpoint.address, out.connect);
    }
  }
  for (const auto& server : config.resolver.servers) addPort(server, out.connect);
  out.connect.insert(53);  // names, over TCP if an answer is long
  std::erase_if(out.read, [](const std::string& path) { return path.empty(); });
  return out;
}

std::vector<std::string> sandboxProblems(const config::Config& config) {
  std::vector<std::string> out;
  for (const auto& [setting, path] : written(config)) {
    const std::string folder = folderOf(path);
    if (!isDevice(path) && sandbox::isBroad(folder))
      out.push_back(std::string(setting) + ": " + path + " is directly in " + folder +
                    ", where the sandbox lets nothing be written: use a folder of its own");
  }
  std::error_code error;
  for (const auto& path : config.sandbox.paths) {
    if (path == "/")
      out.push_back("sandbox.paths: `/` would allow everything: name folders, or run with --unsafe-no-sandbox");
    else if (!fs::exists(path, error))
      out.push_back("sandbox.paths: " + path + " does not exist: create it, since what is made later is not allowed");
  }
  return out;
}

std::vector<std::string> sandboxNotes(const config::Config& config) {
  std::vector<std::string> out;
  const auto plan = sandboxPlan(config);
  for (const auto& source : sourcesOf(config)) {
    const std::string path = absolute(source);
    const std::string folder = folderOf(path);
    if (!plan.write.contains(folder) && !plan.write.contains(path)) continue;
    out.push_back("sandbox: the process may write to " + folder + ", which also holds " +
                  fs::path(path).filename().string() +
                  ": keep the audit log, the access log and sockets in a folder of their own");
    break;
  }
  return out;
}

}  // namespace yett::runtime
