#include "cli/check.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "base/file_trust.h"
#include "base/text.h"
#include "cli/check_report.h"
#include "cli/command.h"
#include "cli/policy_dir.h"
#include "config/config.h"
#include "config/object_reader.h"
#include "policy/policy_set.h"
#include "runtime/generation.h"
#include "runtime/memory_plan.h"
#include "runtime/path_warnings.h"
#include "runtime/policy_warnings.h"
#include "runtime/preflight.h"
#include "runtime/sandbox_plan.h"
#include "sink/sink.h"

namespace yett::cli {

namespace {

// Probes each sink: connects and talks to it, but sends no record. False if any probe failed.
bool tryAll(const std::vector<sink::SinkConfig>& sinks, bool quiet) {
  bool all = true;
  for (const auto& config : sinks) {
    auto made = sink::makeSink(config);
    const Status tried = made ? made.value()->probe() : Status(made.error());
    if (!tried) std::cerr << "yett: sink `" << config.name << "`: " << base::forTerminal(tried.error().message) << "\n";
    else if (!quiet) std::cout << "sink `" << config.name << "`: ok\n";
    all = all && tried.ok();
  }
  return all;
}

// The readable part of a configuration with problems.
config::Config configOf(const std::string& file) {
  config::Problems ignored(file);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  return config::readConfig(file, ignored, trust);
}

std::string counted(size_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

class Checker {
 public:
  explicit Checker(const CheckOptions& options) : options_(options), problems_(options.target) {}

  int run() {
    std::error_code error;
    if (std::filesystem::is_directory(options_.target, error)) {
      folders_.push_back(options_.target);
      set_ = loadPolicyDir(options_.target, problems_, trust_);
    } else {
      readConfiguration();
    }
    for (const auto& doubt : trust_.warnings()) warnings_.push_back("`yett run` would refuse " + doubt);
    if (set_ && !problems_.any()) addPolicyWarnings();
    texts_ = problems_.texts();
    for (auto* list : {&texts_, &warnings_}) {
      for (auto& text : *list) text = located(text);
    }
    return options_.format == "json" ? tellJson() : tellText();
  }

 private:
  void readConfiguration() {
    auto generation = runtime::readAndBuild(options_.target, nullptr, problems_, trust_);
    if (!generation) return rememberFolders(configOf(options_.target));
    rememberFolders(generation->config);
    set_ = generation->policy;
    sinks_ = generation->config.sinks;
    for (const auto& problem : generation->shadow_problems) problems_.add(problem);
    for (const auto& warning : runtime::pathWarnings(*generation)) warnings_.push_back("policy " + warning);
    for (const auto& warning : runtime::policyWarnings(*generation)) warnings_.push_back("policy " + warning);
    const auto found = runtime::preflight(*generation);
    for (const auto& problem : found.problems) problems_.add(problem);
    for (const auto& problem : runtime::sandboxProblems(generation->config)) problems_.add(problem);
    if (options_.sandbox) sandbox_ = runtime::sandboxPlan(generation->config).text();
    warnings_.insert(warnings_.end(), found.warnings.begin(), found.warnings.end());
    notes_ = found.notes;
    for (const auto& note : runtime::sandboxNotes(generation->config)) notes_.push_back(note);
    const auto memory = runtime::planMemory(generation->config, runtime::workersOf(generation->config));
    if (memory.sum() > memory.limit)
      warnings_.push_back("memory: " + memory.text() +
                          ": lower `max_connections`, `cache.bytes` or `audit.queue_bytes`");
    what_ = counted(generation->config.listeners.size(), "listener") + ", " +
            counted(generation->clusters.size(), "cluster") + ", ";
    serves_ = treeJson(*generation, found);
    after_ = treeOf(*generation, found) + "memory: " + memory.text() + "\n" +
             (found.disk.empty() ? "" : "disk: " + found.disk + "\n");
  }

  void rememberFolders(const config::Config& config) {
    for (const auto* engines : {&config.engines, &config.shadow}) {
      for (const auto& engine : *engines) {
        if (engine.type != "plugin") folders_.push_back(engine.path);
      }
    }
  }

  void addPolicyWarnings() {
    for (const auto& engine : set_->engines()) {
      for (const auto& warning : engine.rules->warnings()) warnings_.push_back("policy " + warning);
      for (const auto& warning : engine.rules->unusedFiles()) warnings_.push_back("policy " + warning);
    }
  }

  // Replaces a path relative to the policy folder by one relative to the working directory, for people and editors.
  std::string located(const std::string& text) const {
    if (!text.starts_with("policy ")) return text;
    const std::string rest = text.substr(7);
    const std::string file = rest.substr(0, rest.find_first_of(": "));
    std::string found;
    for (const auto& folder : folders_) {
      std::error_code error;
      const std::string path = folder + (folder.ends_with('/') ? "" : "/") + file;
      if (file.empty() || !std::filesystem::is_regular_file(path, error)) continue;
      if (!found.empty()) return text;  // ambiguous: in two folders
      found = path;
    }
    return found.empty() ? text : fromHere(found) + rest.substr(file.size());
  }

  bool refused() const { return !texts_.empty() || (options_.strict && !warnings_.empty()); }

  int tellJson() const {
    std::cout << findingsJson(!refused(), texts_, warnings_, set_ ? set_->digest() : "", serves_);
    if (refused()) return 2;
    return options_.online && !tryAll(sinks_, true) ? 1 : 0;
  }

  int tellText() const {
    for (const auto& warning : warnings_) std::cerr << "yett: warning: " << base::forTerminal(warning) << "\n";
    for (const auto& note : notes_) std::cerr << "yett: note: " << base::forTerminal(note) << "\n";
    for (const auto& problem : texts_) std::cerr << "yett: " << base::forTerminal(problem) << "\n";
    if (!texts_.empty()) {
      std::cerr << "yett: " << counted(texts_.size(), "problem") << "\n";
      return 2;
    }
    if (refused()) {
      std::cerr << "yett: " << counted(warnings_.size(), "warning") << ": --strict treats warnings as problems\n";
      return 2;
    }
    size_t allows = 0;
    size_t denies = 0;
    for (const auto& engine : set_->engines()) {
      for (const auto& rule : engine.rules->rules()) ++(std::string_view(rule.effect) == "deny" ? denies : allows);
    }
    std::cout << options_.target << ": ok: " << what_ << allows << " allow and " << denies
              << " deny rules, policy digest " << set_->digest() << "\n"
              << after_;
    if (!sandbox_.empty()) std::cout << "sandbox\n";
    for (const auto line : base::split(sandbox_, '\n'))
      if (!line.empty()) std::cout << "  " << base::forTerminal(line) << "\n";
    return options_.online && !tryAll(sinks_, false) ? 1 : 0;
  }

  const CheckOptions& options_;
  config::Problems problems_;
  base::FileTrust trust_{base::FileTrust::Mode::kWarn};
  std::shared_ptr<const policy::PolicySet> set_;
  std::vector<sink::SinkConfig> sinks_;
  std::vector<std::string> folders_;  // of policies
  std::vector<std::string> texts_;    // the problems, with paths as shown
  std::vector<std::string> warnings_;
  std::vector<std::string> notes_;  // which never count
  std::string what_;
  std::string after_;
  std::string serves_;
  std::string sandbox_;
};

}  // namespace

int check(const CheckOptions& options) {
  return Checker(options).run();
}

void addCheck(CLI::App& app, Action& action) {
  struct Options {
    std::string config;
    std::string path;
    CheckOptions check;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("check", "report every problem in a configuration or policy directory");
  addConfig(*command, o->config);
  command->add_option("path", o->path, "policy directory or configuration, instead of --config");
  command->add_flag("--strict", o->check.strict, "warnings count as problems");
  command->add_flag("--sandbox", o->check.sandbox, "also print what the running process may do (docs/sandbox.md)");
  command->add_flag("--online", o->check.online, "also probe each sink: connect, but send no record");
  addFormat(*command, o->check.format, {"text", "json"});
  command->callback([o, &action] {
    action = [o] {
      o->check.target = o->path.empty() ? o->config : o->path;
      std::error_code error;
      if (o->path.empty() || std::filesystem::exists(o->path, error)) return check(o->check);
      std::cerr << "yett: " << base::forTerminal(o->path) << ": there is no such policy directory or configuration\n";
      return 2;
    };
  });
}

}  // namespace yett::cli
