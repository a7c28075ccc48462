// `yett admin status|clusters|reload|drain|log-level`: talks to the running Yett over its admin socket.
#include <cstdio>
#include <iostream>
#include <memory>

#include "admin/admin_client.h"
#include "base/file_trust.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/log.h"
#include "config/config.h"

namespace yett::cli {
namespace {

struct Options {
  std::string config;
  std::string socket;
  std::string format;
  std::string level;
};

// Also works for a configuration with problems: the running Yett may use an earlier version of it.
Result<std::string> socketOf(const Options& options) {
  if (!options.socket.empty()) return options.socket;
  config::Problems problems(options.config);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const auto config = config::readConfig(options.config, problems, trust);
  if (!config.admin.socket.empty()) return config.admin.socket;
  if (problems.any()) return Error{problems.texts().front()};
  return Error{options.config + ": `admin.socket` is not set: set it and restart yett, or name one with --socket"};
}

std::string duration(int64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " days";
}

std::string textOf(const json::Value& status) {
  const auto text = [&](const char* key) {
    const auto* value = status.find(key);
    return value == nullptr                         ? std::string()
           : value->type == json::Value::Type::kInt ? std::to_string(value->integer)
                                                    : base::forTerminal(value->text);
  };
  const auto* uptime = status.find("uptime_seconds");
  std::string out = "yett " + text("version") + ", pid " + text("pid") + ", " + text("state") + " for " +
                    duration(uptime != nullptr ? uptime->integer : 0) + ", log level " + text("log_level") + "\n" +
                    "config       " + text("config") + "\n" + "policy       " + text("policy") + ", " + text("rules") +
                    " rules\n" + "connections  " + text("connections") + "\n";
  if (const auto* listeners = status.find("listeners")) {
    for (const auto& item : listeners->items) {
      const auto* name = item.find("name");
      const auto* address = item.find("address");
      if (name != nullptr && address != nullptr)
        out += "listener     " + base::forTerminal(name->text) + " on " + base::forTerminal(address->text) + "\n";
    }
  }
  if (const auto* ready = status.find("ready")) {
    for (const auto& item : ready->items) {
      const auto* name = item.find("name");
      const auto* why = item.find("why");
      if (name == nullptr || why == nullptr) continue;
      out += (why->text.empty() ? "ready        " : "NOT READY    ") + base::forTerminal(name->text) +
             (why->text.empty() ? "" : ": " + base::forTerminal(why->text)) + "\n";
    }
  }
  if (const std::string refused = text("last_reload_refused"); !refused.empty())
    out += "REFUSED      the files on disk: " + refused + "\n";
  return out;
}

// Prints a page of the running Yett, as it is or as text, and returns it.
Result<json::Value> show(const Options& options, const char* page, std::string (*text)(const json::Value&)) {
  const std::string socket = TRY(socketOf(options));
  const std::string answer = TRY(admin::get(socket, page));
  auto parsed = json::parse(answer, false);
  if (!parsed) return Error{"cannot read the answer of " + socket};
  std::cout << (options.format == "json" ? std::string(base::trimmed(answer)) + "\n" : text(parsed.value()));
  return parsed;
}

int status(const Options& options) {
  const auto shown = show(options, "/status", textOf);
  if (!shown) return failed(shown.error());
  const auto* ready = shown.value().find("ready");
  if (ready == nullptr) return 0;
  for (const auto& item : ready->items) {
    const auto* ok = item.find("ok");
    if (ok != nullptr && !ok->boolean) return 1;
  }
  return 0;
}

std::string latencyText(const json::Value& endpoint) {
  const auto* micros = endpoint.find("latency_micros");
  if (micros == nullptr || micros->integer == 0) return "";  // nothing was answered yet
  char out[64];
  std::snprintf(out, sizeof out, ", answers in %.1f ms", static_cast<double>(micros->integer) / 1e3);
  return out;
}

std::string clustersText(const json::Value& answer) {
  const auto number = [](const json::Value& of, const char* key) {
    const auto* value = of.find(key);
    return std::to_string(value != nullptr ? value->integer : 0);
  };
  const auto is = [](const json::Value& of, const char* key) {
    const auto* value = of.find(key);
    return value != nullptr && value->boolean;
  };
  const auto text = [](const json::Value& of, const char* key) {
    const auto* value = of.find(key);
    return value != nullptr ? base::forTerminal(value->text) : std::string();
  };
  std::string out;
  const auto* clusters = answer.find("clusters");
  for (const auto& cluster : clusters != nullptr ? clusters->items : std::vector<json::Value>()) {
    out += text(cluster, "name") + (is(cluster, "tls") ? ", TLS" : "") + ": " + number(cluster, "requests") + " of " +
           number(cluster, "max_requests") + " requests, " + number(cluster, "pending") + " of " +
           number(cluster, "max_pending_requests") + " waiting, " + number(cluster, "connections") + " of " +
           number(cluster, "max_connections") + " connections\n";
    if (const std::string problem = text(cluster, "problem"); !problem.empty()) out += "  PROBLEM    " + problem + "\n";
    const auto* endpoints = cluster.find("endpoints");
    for (const auto& endpoint : endpoints != nullptr ? endpoints->items : std::vector<json::Value>()) {
      out += (!is(endpoint, "healthy")  ? "  UNHEALTHY  "
              : is(endpoint, "ejected") ? "  EJECTED    "
                                        : "  ok         ") +
             text(endpoint, "name") + ", weight " + number(endpoint, "weight") +
             (text(endpoint, "zone").empty() ? "" : ", zone " + text(endpoint, "zone")) + ": " +
             number(endpoint, "requests") + " requests, " + number(endpoint, "connections") + " connections, " +
             number(endpoint, "failures") + " failures so far" + latencyText(endpoint) + "\n";
    }
  }
  return out;
}

int clusters(const Options& options) {
  const auto shown = show(options, "/clusters", clustersText);
  return shown ? 0 : failed(shown.error());
}

// The answer to a command as text for people.
std::string told(const std::string& path, const std::string& answer) {
  const auto parsed = json::parse(answer, false);
  if (!parsed) return base::forTerminal(answer);
  const auto text = [&](const char* key) {
    const auto* value = parsed.value().find(key);
    return value != nullptr ? base::forTerminal(value->text) : std::string();
  };
  if (path == "/log-level") return "log level " + text("before") + " -> " + text("level");
  if (path == "/drain") return "draining: yett exits when all in-flight requests have ended";
  const auto* changed = parsed.value().find("changed");
  return (changed != nullptr && changed->boolean ? "reloaded: policy " : "nothing has changed: policy ") +
         text("policy");
}

int command(const Options& options, const std::string& path, const std::string& body) {
  const auto socket = socketOf(options);
  if (!socket) return failed(socket.error());
  const auto answer = admin::post(socket.value(), path, body);
  if (!answer) return failed(answer.error());
  std::cout << told(path, answer.value()) << "\n";
  return 0;
}

}  // namespace

void addAdmin(CLI::App& app, Action& action) {
  const auto o = std::make_shared<Options>();
  auto* admin = app.add_subcommand("admin", "control the running Yett over its admin socket");
  admin->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, std::function<int()> then) {
    auto* sub = admin->add_subcommand(name, help);
    addConfig(*sub, o->config);
    sub->add_option("--socket", o->socket, "admin socket, instead of the configured one");
    sub->callback([then = std::move(then), &action] { action = then; });
    return sub;
  };
  auto* shown =
      add("status", "show what is running and whether it is ready (exit status 1 if not)", [o] { return status(*o); });
  addFormat(*shown, o->format, {"text", "json"});
  auto* listed = add("clusters", "show the services: their endpoints, which of them are healthy, what is in flight",
                     [o] { return clusters(*o); });
  addFormat(*listed, o->format, {"text", "json"});
  add("reload", "reload the files now; if they are refused, list every problem and exit with 2",
      [o] { return command(*o, "/reload", "{}"); });
  add("drain", "shut down as on SIGTERM: finish in-flight requests, then exit",
      [o] { return command(*o, "/drain", "{}"); });
  auto* level = add("log-level", "set the log level until the next start; no level unmasks values", [o] {
    std::string body;
    json::ObjectWriter(body).field("level", o->level).end();
    return command(*o, "/log-level", body);
  });
  level->add_option("level", o->level, "debug, info, warning or error")
      ->required()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
}

}  // namespace yett::cli
