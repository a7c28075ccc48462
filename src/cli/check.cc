#include "cli/check.h"

#include <filesystem>
#include <iostream>
#include <memory>

#include "base/file_trust.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/policy_dir.h"
#include "config/object_reader.h"
#include "policy/policy_set.h"
#include "runtime/generation.h"
#include "runtime/memory_plan.h"
#include "runtime/path_warnings.h"
#include "sink/sink.h"

namespace yett::cli {

namespace {

// Whether each could take records: connected to, spoken with, and no record sent. False: one could not.
bool tryAll(const std::vector<sink::SinkConfig>& sinks) {
  bool all = true;
  for (const auto& config : sinks) {
    auto made = sink::makeSink(config);
    const Status tried = made ? made.value()->probe() : Status(made.error());
    if (tried) std::cout << "sink `" << config.name << "`: ok\n";
    else std::cerr << "yett: sink `" << config.name << "`: " << base::forTerminal(tried.error().message) << "\n";
    all = all && tried.ok();
  }
  return all;
}

}  // namespace

int check(const std::string& target, bool strict, bool online) {
  std::vector<sink::SinkConfig> sinks;
  config::Problems problems(target);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  std::shared_ptr<const policy::PolicySet> set;
  std::string what;
  std::string plan;
  size_t warnings = 0;
  const auto warn = [&](const std::string& text) {
    std::cerr << "yett: warning: policy " << text << "\n";
    ++warnings;
  };
  std::error_code error;
  if (std::filesystem::is_directory(target, error)) {
    set = loadPolicyDir(target, problems, trust);
  } else if (auto generation = runtime::readAndBuild(target, nullptr, problems, trust)) {
    set = generation->policy;
    sinks = generation->config.sinks;
    for (const auto& problem : generation->shadow_problems) problems.add(problem);
    for (const auto& warning : runtime::pathWarnings(*generation)) warn(warning);
    const auto memory = runtime::planMemory(generation->config, runtime::workersOf(generation->config));
    if (memory.sum() > memory.limit) {
      std::cerr << "yett: warning: memory: " << memory.text()
                << ": lower `max_connections`, `cache.bytes` or `audit.queue_bytes`\n";
      ++warnings;
    } else {
      plan = "memory: " + memory.text() + "\n";
    }
    what = std::to_string(generation->listeners.size()) + " listeners, " + std::to_string(generation->clusters.size()) +
           " clusters, ";
  }
  warnings += reportDoubts(trust);
  if (problems.any()) return reportProblems(problems);
  size_t allows = 0;
  size_t denies = 0;
  for (const auto& engine : set->engines()) {
    for (const auto& rule : engine.rules->rules()) ++(std::string_view(rule.effect) == "deny" ? denies : allows);
    for (const auto& warning : engine.rules->warnings()) warn(warning);
    for (const auto& warning : engine.rules->unusedFiles()) warn(warning);
  }
  if (strict && warnings > 0) {
    std::cerr << "yett: " << warnings << (warnings == 1 ? " warning" : " warnings") << ", which count with --strict\n";
    return 2;
  }
  std::cout << target << ": ok: " << what << allows << " allow and " << denies << " deny rules, policy digest "
            << set->digest() << "\n"
            << plan;
  return online && !tryAll(sinks) ? 1 : 0;
}

void addCheck(CLI::App& app, Action& action) {
  struct Options {
    std::string config;
    std::string directory;
    bool strict = false;
    bool online = false;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("check", "every problem of a configuration or a policy directory");
  addConfig(*command, o->config);
  command->add_option("dir", o->directory, "policy directory, instead of a configuration");
  command->add_flag("--strict", o->strict, "warnings count as problems");
  command->add_flag("--online", o->online, "try each sink too: connect, and send nothing");
  command->callback([o, &action] {
    action = [o] { return check(o->directory.empty() ? o->config : o->directory, o->strict, o->online); };
  });
}

}  // namespace yett::cli
