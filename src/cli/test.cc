#include "cli/test.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <set>
#include <thread>
#include <tuple>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/policy_dir.h"
#include "cli/terminal.h"
#include "cli/test_report.h"
#include "config/object_reader.h"
#include "identity/jwt_provider.h"
#include "lua/engine.h"
#include "lua/evaluator.h"
#include "lua/tests.h"
#include "policy/token.h"
#include "runtime/check_input.h"

namespace yett::cli {
namespace {

using lua::Expectation;

std::string describe(const policy::Decision& d) {
  std::string out = d.allow ? "allowed" : "denied";
  if (d.policy.empty()) out += d.rule == "default" ? ".by_default" : " (" + std::string(d.rule) + ")";
  else out += " \"" + std::string(d.rule) + "\" of policy `" + std::string(d.policy) + "`";
  if (!d.reason.empty()) out += ": " + base::printable(d.reason);
  if (!d.errors.empty()) out += "; errors: " + base::printable(d.errors);
  return out;
}

bool meets(const Expectation& expect, const policy::Decision& d) {
  if (expect.kind == Expectation::Kind::kRejected || d.allow != (expect.kind == Expectation::Kind::kAllowed))
    return false;
  if (expect.by_default) return d.policy.empty() && d.rule == "default";
  return expect.rule.empty() || expect.rule == d.rule ||
         expect.rule == std::string(d.policy) + "/" + std::string(d.rule);
}

// How the headers that the decision sets differ from those that the test expects; "" if they do not.
std::string wrongHeader(const std::vector<std::pair<std::string, std::string>>& wanted,
                        const policy::Obligations* obligations) {
  for (const auto& [name, value] : wanted) {
    const std::string* got = nullptr;
    for (size_t i = 0; obligations != nullptr && i < obligations->set_headers.size(); ++i) {
      if (obligations->set_headers[i].first == name) got = &obligations->set_headers[i].second;
    }
    const std::string shown =
        "expected the header `" + base::printable(name) + "` to be set to `" + base::printable(value) + "`, got ";
    if (got == nullptr) return shown + "none";
    if (*got != value) return shown + "`" + base::printable(*got) + "`";
  }
  return {};
}

// How near a rule is: fewer failing matchers are nearer. Of equals, one that matches the caller and the path.
int nearness(const policy::RuleTrace& trace) {
  if (trace.applies) return 1000;
  if (trace.evaluated) return 999;
  static constexpr std::string_view kOrder[] = {"principal", "path", "host",   "source",
                                                "method",    "grpc", "header", "query"};
  std::string_view failed = trace.failed;
  if (failed.starts_with("not_")) failed.remove_prefix(4);
  const auto at = std::find(std::begin(kOrder), std::end(kOrder), failed) - std::begin(kOrder);
  return -10 * trace.failures + static_cast<int>(at);
}

// The rule that the author most likely meant: the one that was named, else the one of the wanted effect that came
// closest. -1: none.
int nearestRule(const std::vector<policy::RuleTrace>& traces, const Expectation& expect) {
  const char* effect = expect.kind == Expectation::Kind::kAllowed ? "allow" : "deny";
  int best = -1;
  for (size_t i = 0; i < traces.size(); ++i) {
    const auto& trace = traces[i];
    if (!expect.rule.empty() && (trace.rule == expect.rule || trace.policy + "/" + trace.rule == expect.rule))
      return static_cast<int>(i);
    if (expect.by_default ? !trace.applies : trace.effect != effect) continue;
    if (best < 0 || nearness(trace) > nearness(traces[static_cast<size_t>(best)])) best = static_cast<int>(i);
  }
  return best;
}

// Runs tests one after the other with one evaluator, as a worker would.
class Runner {
 public:
  Runner(std::shared_ptr<const policy::PolicySet> set, std::vector<std::string> owned,
         std::unique_ptr<policy::PolicyEvaluator> evaluator, bool explain)
      : set_(std::move(set)), owned_(std::move(owned)), explain_(explain), evaluator_(std::move(evaluator)) {}

  TestResult run(const lua::PolicyTest& test) {
    TestResult out{test.name, test.file, test.line};
    auto input = inputOf(test);
    if (!input) {
      const std::string& why = input.error().message;
      const bool rejected = why.size() > 4 && (why[0] == '4' || why[0] == '5') && why[3] == ':';
      out.passed = rejected && test.expect.kind == Expectation::Kind::kRejected;
      if (!out.passed)
        out.failure =
            (rejected ? "expected " + test.expect.text() + ", rejected before policy: " : "not a request: ") + why;
      return out;
    }
    const int64_t began = base::steadyNanos();
    evaluator_->decide(input.value()->request(), reader_, decision_);
    out.nanos = base::steadyNanos() - began;
    const auto* forwarded = input.value()->request().forwarded;
    const std::string unread = decision_.allow && forwarded != nullptr ? forwarded->via_error : "";
    out.passed = unread.empty() ? meets(test.expect, decision_) : test.expect.kind == Expectation::Kind::kRejected;
    if (!out.passed)
      out.failure = "expected " + test.expect.text() + ", got " + describe(decision_) +
                    (unread.empty() ? "" : ", and then 400: " + unread);
    if (out.passed) out.failure = wrongHeader(test.sets, decision_.allow ? decision_.obligations : nullptr);
    out.passed = out.failure.empty();
    met_.emplace(decision_.engine, decision_.policy, decision_.rule);
    if (const auto slash = decision_.would_deny.find('/'); slash != std::string::npos) {
      for (const auto& engine : set_->engines())
        met_.emplace(engine.name, decision_.would_deny.substr(0, slash), decision_.would_deny.substr(slash + 1));
    }
    if (!out.passed || explain_) {
      evaluator_->explain(input.value()->request(), reader_, out.traces);
      out.nearest = nearestRule(out.traces, test.expect);
    }
    return out;
  }

  bool met(const std::string& engine, const policy::RuleInfo& rule) const {
    return met_.contains({engine, rule.policy, rule.rule});
  }

 private:
  Result<std::unique_ptr<runtime::CheckInput>> inputOf(const lua::PolicyTest& test) const {
    if (test.http.empty()) return runtime::CheckInput::fromJson(test.request, owned_);
    const runtime::Caller caller = TRY(runtime::callerOf(test.request));
    return runtime::CheckInput::fromHttp(test.http, caller, owned_);
  }

  std::shared_ptr<const policy::PolicySet> set_;
  const std::vector<std::string> owned_;  // headers
  const bool explain_;
  std::unique_ptr<policy::PolicyEvaluator> evaluator_;
  policy::AttributeReader reader_;
  policy::Decision decision_;
  std::set<std::tuple<std::string, std::string, std::string>> met_;  // engine, policy, rule
};

using Lines = std::set<std::pair<std::string, int>>;

void cover(const policy::LoadedEngine& engine, const Runner& runner, const Lines& all, const Lines& ran,
           Coverage& out) {
  for (const auto& rule : engine.rules->rules()) {
    ++out.rules;
    if (runner.met(engine.name, rule)) ++out.rules_met;
    else out.rules_missed.push_back(rule.position + ": " + rule.policy + "/" + rule.rule);
  }
  for (const auto& line : all) {
    ++out.lines;
    if (ran.contains(line)) ++out.lines_run;
    else out.lines_missed.push_back(line.first + ":" + std::to_string(line.second));
  }
}

// A test and the folder that it stands in.
struct FolderTest {
  std::string folder;
  lua::PolicyTest test;
};

Result<TestReport> reportOf(const std::string& directory, const std::shared_ptr<const policy::PolicySet>& set,
                            std::vector<std::string> owned, const std::vector<FolderTest>& tests, bool coverage,
                            bool explain) {
  auto evaluator = TRY(policy::PolicyEvaluator::create(set));
  std::vector<Lines> all(set->engines().size());
  std::vector<Lines> ran(all.size());
  for (size_t i = 0; coverage && i < all.size(); ++i) {
    auto* lua = dynamic_cast<lua::LuaEvaluator*>(&evaluator->engine(i));
    if (lua == nullptr) continue;
    all[i] = lua->codeLines();
    lua->watchLines([&mine = ran[i]](const char* file, int line) { mine.emplace(file, line); });
  }
  Runner runner(set, std::move(owned), std::move(evaluator), explain);
  TestReport report;
  report.directory = directory;
  const int64_t began = base::steadyNanos();
  for (const auto& [folder, test] : tests) {
    report.tests.push_back(runner.run(test));
    report.tests.back().folder = folder;
  }
  report.nanos = base::steadyNanos() - began;
  report.with_coverage = coverage;
  for (size_t i = 0; coverage && i < all.size(); ++i) cover(set->engines()[i], runner, all[i], ran[i], report.coverage);
  return report;
}

void print(const TestOptions& options, const TestReport& report) {
  if (options.format == "json") std::cout << asJson(report);
  else if (options.format == "junit") std::cout << asJunit(report);
  else std::cout << asText(report, useColour(), options.explain);
  std::cout.flush();
}

// What a policy and its tests are made of.
struct Loaded {
  std::shared_ptr<const policy::PolicySet> set;
  std::vector<std::string> owned;  // headers
  std::vector<FolderTest> tests;
  size_t left_out = 0;
};

// A name in `expect` that no rule has, so that the test can only fail, or say the wrong thing.
void checkNames(const policy::PolicySet& set, const std::vector<FolderTest>& tests, config::Problems& problems) {
  std::set<std::string> names;
  for (const auto& engine : set.engines()) {
    if (std::string_view(engine.rules->type()) == "plugin") return;  // it makes up its own
    for (const auto& rule : engine.rules->rules()) {
      names.insert(rule.rule);
      names.insert(rule.policy + "/" + rule.rule);
    }
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const auto& [folder, test] : tests) {
    const std::string& rule = test.expect.rule;
    if (rule.empty() || names.contains(rule) || rule == "default" || rule == "error") continue;
    problems.add("test " + test.file + ":" + std::to_string(test.line) + ": `" + base::printable(test.name) +
                 "` expects the rule `" + base::printable(rule) + "`, which does not exist" +
                 base::didYouMean(rule, known));
  }
}

// A provider in `jwt` that the configuration does not have: there is never such a token.
void checkProviders(const identity::JwtProviderConfigs& configured, const std::vector<FolderTest>& tests,
                    config::Problems& problems) {
  std::vector<std::string_view> known = {policy::kSvidProvider};
  for (const auto& [name, provider] : configured) known.push_back(name);
  for (const auto& [folder, test] : tests) {
    const json::Value* jwt = test.request.find("jwt");
    if (jwt == nullptr) continue;
    for (const auto& [name, claims] : jwt->fields) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      problems.add("test " + test.file + ":" + std::to_string(test.line) + ": `" + base::printable(test.name) +
                   "` has a token of `" + base::printable(name) + "`, a provider that the configuration does not have" +
                   base::didYouMean(name, known));
    }
  }
}

Loaded load(const TestOptions& options, config::Problems& problems, base::FileTrust& trust) {
  Loaded out;
  Selected selected;
  out.set = loadSelection(options.policy, selected, problems, trust);
  for (const auto& folder : selected.folders) {
    const auto source = policy::PolicySource::read(folder.path, trust);
    if (!source) continue;
    std::vector<std::string> texts;
    for (auto& test : lua::loadTests(source.value(), texts)) {
      if (isSelected(test.name, options.run)) out.tests.push_back({folder.path, std::move(test)});
      else ++out.left_out;
    }
    for (const auto& text : texts) problems.add("test " + text);
  }
  if (out.set) checkNames(*out.set, out.tests, problems);
  if (out.set) out.owned = selected.ownedHeaders(*out.set);
  if (selected.providers) checkProviders(*selected.providers, out.tests, problems);
  if (problems.any() || !out.tests.empty()) return out;
  const auto& named = options.policy.directories;
  problems.add(out.left_out > 0 ? "--run " + options.run + ": no test has such a name"
                                : (named.size() == 1 ? named.front() : std::string("the policy")) +
                                      ": no tests: write them into files named *_test.lua");
  return out;
}

int runOnce(const TestOptions& options) {
  config::Problems problems(options.policy.config);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const Loaded loaded = load(options, problems, trust);
  reportDoubts(trust);
  if (problems.any()) return reportProblems(problems);
  const std::string name =
      options.policy.directories.empty() ? options.policy.config : base::joined(options.policy.directories, " ");
  auto made = reportOf(name, loaded.set, loaded.owned, loaded.tests, options.coverage, options.explain);
  if (!made) {
    std::cerr << "yett: " << made.error().message << "\n";
    return 2;
  }
  const TestReport& report = made.value();
  print(options, report);
  const bool covered = !options.coverage || report.coverage.percent() >= options.min_coverage;
  if (!covered)
    std::cerr << "yett: coverage is " << report.coverage.percent() << " %, below the required " << options.min_coverage
              << " %\n";
  return report.failed() == 0 && covered ? 0 : 1;
}

// Until it is interrupted.
int watch(const TestOptions& options) {
  constexpr auto kLook = std::chrono::milliseconds(300);
  std::string seen;
  for (;;) {
    std::string now = fingerprintOf(options.policy);
    if (now != seen) {
      if (!seen.empty()) std::cout << "\n== " << base::formatTime(base::wallMicros()) << "\n";
      runOnce(options);
      std::cout << "watching for changes; Ctrl-C ends it\n" << std::flush;
      seen = std::move(now);
    }
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace

bool isSelected(std::string_view name, std::string_view pattern) {
  if (pattern.empty()) return true;
  if (pattern.find('*') == std::string_view::npos) return name.find(pattern) != std::string_view::npos;
  const auto parts = base::split(pattern, '*');
  if (!name.starts_with(parts.front())) return false;
  size_t at = parts.front().size();
  for (size_t i = 1; i + 1 < parts.size(); ++i) {
    at = name.find(parts[i], at);
    if (at == std::string_view::npos) return false;
    at += parts[i].size();
  }
  return name.size() >= at + parts.back().size() && name.ends_with(parts.back());
}

TestReport testsOf(const std::string& directory, const std::shared_ptr<const policy::PolicySet>& set) {
  std::vector<std::string> problems;
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const auto source = policy::PolicySource::read(directory, trust);
  if (!source) return {};
  std::vector<FolderTest> tests;
  for (auto& test : lua::loadTests(source.value(), problems)) tests.push_back({directory, std::move(test)});
  if (!problems.empty() || tests.empty()) return {};
  auto report = reportOf(directory, set, set->ownedHeaders(), tests, true, false);
  return report ? std::move(report).value() : TestReport{};
}

int test(const TestOptions& options) {
  return options.watch ? watch(options) : runOnce(options);
}

void addTest(CLI::App& app, Action& action) {
  const auto o = std::make_shared<TestOptions>();
  auto* command = app.add_subcommand("test", "run the tests of a policy directory (*_test.lua)");
  addSelection(*command, o->policy);
  command->add_option("--run", o->run, "only tests whose name contains this; with a `*` it must match the whole name");
  command->add_flag("--explain", o->explain, "show every rule of each test that failed");
  command->add_flag("--watch", o->watch, "run again whenever a file changes");
  addFormat(*command, o->format, {"text", "json", "junit"});
  command->add_flag("--coverage", o->coverage, "which rules decided and which lines of conditions ran");
  command->add_option("--min-coverage", o->min_coverage, "fail below this percentage; implies --coverage")
      ->check(CLI::Range(0, 100));
  command->callback([o, &action] {
    if (o->min_coverage > 0) o->coverage = true;
    action = [o] { return test(*o); };
  });
}

}  // namespace yett::cli
