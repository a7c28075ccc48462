// The command line: registers the commands and runs the chosen one.
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>

#include "app/run.h"
#include "app/version.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/usage.h"
#include "net/tls_memory.h"

extern char** environ;

namespace yett {
namespace {

// A misspelled setting must not be ignored silently. Kubernetes also sets such variables, for a service that is named
// `yett`.
void warnOfEnvironment() {
  static constexpr std::string_view kKnown[] = {"YETT_CONFIG", "YETT_LOG_LEVEL"};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name(*entry, std::strcspn(*entry, "="));
    if (!name.starts_with("YETT_") || std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown))
      continue;
    std::cerr << "yett: warning: the environment variable `" << base::printable(name) << "` is not a Yett setting"
              << base::didYouMean(name, kKnown) << "\n";
  }
}

void addRun(CLI::App& app, cli::Action& action) {
  struct Options {
    std::string config;
    std::string level;
    bool unsafe = false;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("run", "serve until SIGTERM; SIGHUP reloads at once");
  cli::addConfig(*command, o->config);
  command->add_option("--log-level", o->level, "debug, info, warning or error")
      ->envname("YETT_LOG_LEVEL")
      ->default_val("info");
  command->add_flag("--unsafe-no-sandbox", o->unsafe, "do not confine the process (docs/sandbox.md)");
  command->callback([o, &action] {
    action = [o] {
      base::Logger::Level level{};
      if (base::Logger::parseLevel(o->level, level)) return app::run(o->config, level, o->unsafe);
      std::cerr << "yett: log level `" << base::printable(o->level) << "`: must be debug, info, warning or error\n";
      return 2;
    };
  });
}

void addVersion(CLI::App& app, cli::Action& action) {
  app.add_subcommand("version", "print the version")->callback([&action] {
    action = [] {
      std::cout << app::versionText();
      return 0;
    };
  });
}

int runCommand(int argc, char** argv) {
  net::keepRecordBuffers();
  warnOfEnvironment();
  cli::Action action;
  CLI::App app("Yett: an authorization sidecar. Runs in front of a service and checks every request against policy.",
               "yett");
  app.require_subcommand(1);
  app.set_version_flag(
      "--version",
      [] {
        std::string text = app::versionText();
        text.pop_back();  // the parser adds a line break
        return text;
      },
      "print the version");
  addRun(app, action);
  cli::addCheck(app, action);
  cli::addTest(app, action);
  cli::addEval(app, action);
  cli::addLog(app, action);
  cli::addReplay(app, action);
  cli::addSuggest(app, action);
  cli::addCerts(app, action);
  cli::addAdmin(app, action);
  cli::addInit(app, action);
  addVersion(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // help or version
    std::cerr << cli::explainUsage(app, e, argc, argv);
    return 2;
  }
  return action();
}

}  // namespace
}  // namespace yett

int main(int argc, char** argv) try { return yett::runCommand(argc, argv); } catch (const std::exception& e) {
  std::fprintf(stderr, "error: %s\n", e.what());
  return 1;
}
