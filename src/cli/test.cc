#include "cli/test.h"

#include <unistd.h>

#include <iostream>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/policy_dir.h"
#include "cli/test_report.h"
#include "config/object_reader.h"
#include "lua/engine.h"
#include "lua/evaluator.h"
#include "lua/tests.h"
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

// Runs tests one after the other with one evaluator, as a worker would.
class Runner {
 public:
  Runner(std::shared_ptr<const policy::PolicySet> set, std::unique_ptr<policy::PolicyEvaluator> evaluator)
      : set_(std::move(set)), evaluator_(std::move(evaluator)) {}

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
    out.passed = meets(test.expect, decision_);
    if (!out.passed) out.failure = "expected " + test.expect.text() + ", " + describe(decision_);
    met_.emplace(decision_.policy, decision_.rule);
    if (const auto slash = decision_.would_deny.find('/'); slash != std::string::npos)
      met_.emplace(decision_.would_deny.substr(0, slash), decision_.would_deny.substr(slash + 1));
    return out;
  }

  bool met(const policy::RuleInfo& rule) const { return met_.contains({rule.policy, rule.rule}); }

 private:
  Result<std::unique_ptr<runtime::CheckInput>> inputOf(const lua::PolicyTest& test) const {
    if (test.http.empty()) return runtime::CheckInput::fromJson(test.request, set_->ownedHeaders());
    const runtime::Caller caller = TRY(runtime::callerOf(test.request));
    return runtime::CheckInput::fromHttp(test.http, caller, set_->ownedHeaders());
  }

  std::shared_ptr<const policy::PolicySet> set_;
  std::unique_ptr<policy::PolicyEvaluator> evaluator_;
  policy::AttributeReader reader_;
  policy::Decision decision_;
  std::set<std::pair<std::string, std::string>> met_;
};

using Lines = std::set<std::pair<std::string, int>>;

void cover(const policy::RuleSet& rules, const Runner& runner, const Lines& all, const Lines& ran, Coverage& out) {
  for (const auto& rule : rules.rules()) {
    ++out.rules;
    if (runner.met(rule)) ++out.rules_met;
    else out.rules_missed.push_back(rule.position + ": " + rule.policy + "/" + rule.rule);
  }
  for (const auto& line : all) {
    ++out.lines;
    if (ran.contains(line)) ++out.lines_run;
    else out.lines_missed.push_back(line.first + ":" + std::to_string(line.second));
  }
}

Result<TestReport> reportOf(const std::string& directory, const std::shared_ptr<const policy::PolicySet>& set,
                            const std::vector<lua::PolicyTest>& tests, bool coverage) {
  auto evaluator = TRY(policy::PolicyEvaluator::create(set));
  Lines all;
  Lines ran;
  if (coverage) {
    // There is only one engine: loadPolicyDir() chose it.
    if (auto* lua = dynamic_cast<lua::LuaEvaluator*>(&evaluator->engine(0))) {
      all = lua->codeLines();
      lua->watchLines([&ran](const char* file, int line) { ran.emplace(file, line); });
    }
  }
  Runner runner(set, std::move(evaluator));
  TestReport report;
  report.directory = directory;
  const int64_t began = base::steadyNanos();
  for (const auto& test : tests) report.tests.push_back(runner.run(test));
  report.nanos = base::steadyNanos() - began;
  report.with_coverage = coverage;
  if (coverage) cover(*set->engines().front().rules, runner, all, ran, report.coverage);
  return report;
}

int runAll(const TestOptions& options, const std::shared_ptr<const policy::PolicySet>& set,
           const std::vector<lua::PolicyTest>& tests) {
  auto made = reportOf(options.directory, set, tests, options.coverage);
  if (!made) {
    std::cerr << "yett: " << made.error().message << "\n";
    return 2;
  }
  const TestReport& report = made.value();
  if (options.format == "json") std::cout << asJson(report);
  else if (options.format == "junit") std::cout << asJunit(report);
  else std::cout << asText(report, ::isatty(STDOUT_FILENO) != 0);
  const bool covered = !options.coverage || report.coverage.percent() >= options.min_coverage;
  if (!covered)
    std::cerr << "yett: coverage is " << report.coverage.percent() << " %, below the required " << options.min_coverage
              << " %\n";
  return report.failed() == 0 && covered ? 0 : 1;
}

}  // namespace

TestReport testsOf(const std::string& directory, const std::shared_ptr<const policy::PolicySet>& set) {
  std::vector<std::string> problems;
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const auto source = policy::PolicySource::read(directory, trust);
  if (!source) return {};
  const auto tests = lua::loadTests(source.value(), problems);
  if (!problems.empty() || tests.empty()) return {};
  auto report = reportOf(directory, set, tests, true);
  return report ? std::move(report).value() : TestReport{};
}

int test(const TestOptions& options) {
  config::Problems problems(options.directory);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const auto set = loadPolicyDir(options.directory, problems, trust);
  std::vector<lua::PolicyTest> tests;
  if (const auto source = policy::PolicySource::read(options.directory, trust)) {
    std::vector<std::string> texts;
    tests = lua::loadTests(source.value(), texts);
    for (const auto& text : texts) problems.add("test " + text);
  }
  if (!problems.any() && tests.empty())
    problems.add(options.directory + ": no tests: write them into files named *_test.lua");
  reportDoubts(trust);
  if (problems.any()) return reportProblems(problems);
  return runAll(options, set, tests);
}

void addTest(CLI::App& app, Action& action) {
  const auto o = std::make_shared<TestOptions>();
  auto* command = app.add_subcommand("test", "run the tests of a policy directory (*_test.lua)");
  command->add_option("dir", o->directory, "policy directory")->required();
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
