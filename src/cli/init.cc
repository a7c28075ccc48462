#include "cli/init.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <vector>

#include "base/text.h"
#include "cli/certs.h"
#include "cli/command.h"
#include "cli/log.h"
#include "identity/spiffe_id.h"

namespace yett::cli {
namespace {

struct File {
  std::string name;
  std::string text;
};

constexpr std::string_view kConfig = R"({
  "identity": {
    "svid": { "certificate": "certs/server.pem", "private_key": "certs/server.key" },
    "trust_bundles": { "@DOMAIN@": "certs/bundle.pem" }
  },
  "listeners": [{
    "name": "inbound",
    "address": "127.0.0.1:@PORT@",          // 0.0.0.0 or [::] for callers from other hosts
    "tls": { "client_certificate": "required" },
    "routes": [ { "path": "/**", "cluster": "service" } ]
  }],
  "clusters": [ { "name": "service", "endpoints": ["@UPSTREAM@"] } ],
  "policy": { "engines": [ { "name": "main", "type": "lua", "path": "rules" } ] },
  "audit": { "database": "var/yett.db", "key_file": "certs/audit.key" },
  "access_log": "var/access.log",
  "admin": { "address": "127.0.0.1:9901", "socket": "var/admin.sock" }
}
)";

constexpr std::string_view kPolicy =
    R"(-- Who may do what. Nothing else is allowed. Yett reads this file again when it changes.
policy "service" {
  allow "client reads" {
    principal = "spiffe://@DOMAIN@/client",
    method    = { "GET", "HEAD" },
    path      = "/**",
  },

  deny "admin is closed" { path = "/admin/**", public_reason = "the admin pages are closed" },
}
)";

constexpr std::string_view kTest = R"(test "the client reads" {
  principal = "spiffe://@DOMAIN@/client",
  request   = { method = "GET", path = "/" },
  expect    = allowed "client reads",
}

test "nobody reads the admin pages" {
  principal = "spiffe://@DOMAIN@/client",
  request   = { method = "GET", path = "/admin/users" },
  expect    = denied "admin is closed",
}

test "everything else is denied" {
  principal = "spiffe://@DOMAIN@/client",
  request   = { method = "POST", path = "/" },
  expect    = denied.by_default,
}
)";

std::string filled(std::string_view text, const InitOptions& options) {
  std::string out(text);
  const auto fill = [&](std::string_view name, const std::string& value) {
    for (auto at = out.find(name); at != std::string::npos; at = out.find(name, at + value.size()))
      out.replace(at, name.size(), value);
  };
  fill("@DOMAIN@", options.trust_domain);
  fill("@PORT@", std::to_string(options.port));
  fill("@UPSTREAM@", options.upstream);
  return out;
}

std::vector<File> filesOf(const InitOptions& options) {
  return {{"yett.json", filled(kConfig, options)},
          {"rules/service.lua", filled(kPolicy, options)},
          {"rules/service_test.lua", filled(kTest, options)}};
}

Status writeFile(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_EXCL, 0644);
  if (fd < 0) return Error{path + ": cannot write: " + std::strerror(errno)};
  const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return ok ? Status() : Status(Error{path + ": cannot write: " + std::strerror(errno)});
}

// The answer, or `usual` for an empty one.
std::string ask(const std::string& question, const std::string& usual) {
  std::cout << question << " [" << usual << "]: " << std::flush;
  std::string line;
  if (!std::getline(std::cin, line)) std::cout << "\n";
  return base::trimmed(line).empty() ? usual : std::string(base::trimmed(line));
}

Status complete(InitOptions& options) {
  if (options.directory.empty()) return Error{"the folder's name is empty: leave it out for the one you are in"};
  const bool person = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  if (options.upstream.empty())
    options.upstream = person ? ask("Where does your service listen (host:port)?", "127.0.0.1:8080") : "127.0.0.1:8080";
  if (options.port == 0) {
    const std::string port = person ? ask("On which port should Yett listen?", "8443") : "8443";
    uint64_t number = 0;
    if (!base::parseUnsigned(port, number) || number < 1 || number > 65'535)
      return Error{"`" + base::printable(port) + "` is not a port from 1 to 65535"};
    options.port = static_cast<int>(number);
  }
  uint64_t port = 0;
  const auto colon = options.upstream.rfind(':');
  if (!options.upstream.starts_with("unix:///") &&
      (colon == std::string::npos || colon == 0 || options.upstream.find("://") != std::string::npos ||
       !base::parseUnsigned(options.upstream.substr(colon + 1), port) || port < 1 || port > 65'535))
    return Error{"`" + base::printable(options.upstream) +
                 "` is not host:port or unix:///path: where the service listens"};
  if (options.upstream.find_first_of("\"\\") != std::string::npos ||
      base::printable(options.upstream) != options.upstream)
    return Error{"`" + base::printable(options.upstream) + "` is not an address"};
  if (!identity::isTrustDomain(options.trust_domain))
    return Error{"`" + base::printable(options.trust_domain) +
                 "` is not a trust domain: 1 to 255 of a-z, 0-9, `.`, `-`, `_`"};
  return {};
}

// The files that init would replace.
std::vector<std::string> existing(const InitOptions& options) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& file : filesOf(options)) {
    const auto what = std::filesystem::symlink_status(options.directory + "/" + file.name, error);
    if (std::filesystem::exists(what)) out.push_back(file.name);
  }
  return out;
}

// The name, or the first of NAME2, NAME3, ... that nothing has.
std::string freeName(const std::string& name) {
  std::error_code error;
  const auto taken = [&](const std::string& path) {
    return std::filesystem::exists(std::filesystem::symlink_status(path, error));
  };
  std::string out = name;
  for (int n = 2; taken(out) && n < 1000; ++n) out = name + std::to_string(n);
  return out;
}

// Before anything is written.
Status checkFree(const InitOptions& options) {
  const auto there = existing(options);
  if (options.force || there.empty()) return {};
  return Error{options.directory + ": " + base::joined(there, ", ") + (there.size() == 1 ? " exists" : " exist") +
               ": --force replaces " + (there.size() == 1 ? "it" : "all of them") + ", and keeps a copy as .bak"};
}

Status writeAll(const InitOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory + "/rules", error);
  // What the process writes, apart from what it must not be able to change.
  if (!error) std::filesystem::create_directories(options.directory + "/var", error);
  if (error) return Error{options.directory + "/rules: " + error.message()};
  for (const auto& name : existing(options)) {
    const std::string path = options.directory + "/" + name;
    const std::string kept =
        freeName(options.directory + "/" + std::filesystem::path(name).filename().string() + ".bak");
    std::filesystem::rename(path, kept, error);
    if (error) return Error{path + ": cannot be kept as " + kept + ": " + error.message()};
    std::cout << "kept " << path << " as " << kept << "\n";
  }
  for (const auto& file : filesOf(options)) TRY(writeFile(options.directory + "/" + file.name, file.text));
  return {};
}

int makeCertificates(const InitOptions& options) {
  const std::string certs = options.directory + "/certs";
  if (!std::filesystem::exists(certs + "/ca.key")) {
    if (const int code = certsInit(certs, options.trust_domain, false); code != 0) return code;
  }
  IssueOptions server;
  server.directory = certs;
  server.spiffe_id = "spiffe://" + options.trust_domain + "/server";
  server.dns_names = {"localhost"};
  server.ip_addresses = {"127.0.0.1"};
  if (const int code = certsIssue(server); code != 0) return code;
  IssueOptions client;
  client.directory = certs;
  client.spiffe_id = "spiffe://" + options.trust_domain + "/client";
  return certsIssue(client);
}

}  // namespace

int init(InitOptions options) {
  if (auto ok = complete(options); !ok) return failed(ok.error());
  if (auto ok = checkFree(options); !ok) return failed(ok.error());
  if (const int code = makeCertificates(options); code != 0) return code;
  if (auto ok = writeAll(options); !ok) return failed(ok.error());
  const bool here = options.directory == ".";
  const std::string in = here ? "" : options.directory + "/";
  std::cout << "wrote " << in << "yett.json, " << in << "rules/service.lua and its test\n\n"
            << "Next:\n"
            << "  yett test " << in << "rules\n"
            << "  yett check -c " << in << "yett.json\n"
            << "  yett run -c " << in << "yett.json\n"
            << "and, with your service on " << options.upstream << ", in another terminal:\n"
            << "  curl --cacert " << in << "certs/bundle.pem --cert " << in << "certs/client.pem --key " << in
            << "certs/client.key https://localhost:" << options.port << "/\n"
            << "  yett log query -c " << in << "yett.json\n";
  return 0;
}

void addInit(CLI::App& app, Action& action) {
  const auto o = std::make_shared<InitOptions>();
  auto* command = app.add_subcommand("init", "write a first configuration, certificates, a policy and its test");
  command->add_option("dir", o->directory, "folder")->capture_default_str();
  command->add_option("--port", o->port, "port where callers connect (default: ask, or 8443)")
      ->check(CLI::Range(1, 65535));
  command->add_option("--upstream", o->upstream, "host:port of the service (default: ask, or 127.0.0.1:8080)");
  command->add_option("--trust-domain", o->trust_domain, "trust domain of the certificates")->capture_default_str();
  command->add_flag("--force", o->force,
                    "replace files that exist, and keep them as .bak (never the certificates of another identity)");
  command->callback([o, &action] { action = [o] { return init(*o); }; });
}

}  // namespace yett::cli
