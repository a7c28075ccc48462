// `yett log coverage`: which rules and lines production has used, next to what the policy's own tests cover.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include "audit/reader.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/log.h"
#include "cli/log_print.h"
#include "cli/policy_dir.h"
#include "cli/suggest.h"
#include "cli/test.h"
#include "config/object_reader.h"
#include "lua/evaluator.h"
#include "policy/decision.h"
#include "policy/policy_set.h"
#include "runtime/replay.h"

namespace yett::cli {
namespace {

struct Used {
  std::map<std::pair<std::string, std::string>, int64_t> rules;
  std::map<std::pair<std::string, int>, int64_t> lines;
};

bool isMissed(const std::vector<std::string>& missed, const std::string& position) {
  return std::any_of(missed.begin(), missed.end(), [&](const std::string& text) { return text.starts_with(position); });
}

void printText(const policy::PolicySet& set, const std::set<std::pair<std::string, int>>& lines, const Used& used,
               const TestReport& tests) {
  const auto tested = [&](bool missed) { return tests.tests.empty() ? "no tests" : missed ? "-" : "tested"; };
  std::vector<std::vector<std::string>> table = {{"DECISIONS", "TESTS", "RULE", "AT"}};
  for (const auto& rule : set.engines().front().rules->rules()) {
    const auto found = used.rules.find({rule.policy, rule.rule});
    table.push_back({found == used.rules.end() ? "-" : std::to_string(found->second),
                     tested(isMissed(tests.coverage.rules_missed, rule.position + ":")),
                     std::string(rule.effect) + " " + shownRule(rule.policy, rule.rule), rule.position});
  }
  printColumns(table, {0});
  std::vector<std::vector<std::string>> unused = {{"TIMES", "TESTS", "LINE"}};
  for (const auto& line : lines) {
    const auto found = used.lines.find(line);
    const std::string position = line.first + ":" + std::to_string(line.second);
    const bool missed = std::find(tests.coverage.lines_missed.begin(), tests.coverage.lines_missed.end(), position) !=
                        tests.coverage.lines_missed.end();
    unused.push_back({found == used.lines.end() ? "-" : std::to_string(found->second), tested(missed), position});
  }
  if (unused.size() == 1) return;
  std::cout << "\nLINES OF CONDITIONS\n";
  printColumns(unused, {0});
}

void printJson(const policy::PolicySet& set, const std::set<std::pair<std::string, int>>& lines, const Used& used,
               const TestReport& tests, const runtime::ReplayReport& report) {
  std::string rules = "[";
  for (const auto& rule : set.engines().front().rules->rules()) {
    const auto found = used.rules.find({rule.policy, rule.rule});
    if (rules.size() > 1) rules += ',';
    json::ObjectWriter(rules)
        .field("policy", rule.policy)
        .field("rule", rule.rule)
        .field("effect", rule.effect)
        .field("position", rule.position)
        .field("decisions", found == used.rules.end() ? 0 : found->second)
        .flag("tested", !tests.tests.empty() && !isMissed(tests.coverage.rules_missed, rule.position + ":"))
        .end();
  }
  std::string text = "[";
  for (const auto& line : lines) {
    const auto found = used.lines.find(line);
    const std::string position = line.first + ":" + std::to_string(line.second);
    if (text.size() > 1) text += ',';
    json::ObjectWriter(text)
        .field("line", position)
        .field("times", found == used.lines.end() ? 0 : found->second)
        .flag("tested",
              !tests.tests.empty() && std::find(tests.coverage.lines_missed.begin(), tests.coverage.lines_missed.end(),
                                                position) == tests.coverage.lines_missed.end())
        .end();
  }
  std::string out;
  json::ObjectWriter(out)
      .field("decisions", report.decisions())
      .field("policy_digest", set.digest())
      .field("undecided", report.counts[static_cast<size_t>(runtime::Difference::kUnknown)])
      .raw("rules", rules + "]")
      .raw("lines", text + "]")
      .end();
  std::cout << out << "\n";
}

}  // namespace

int logCoverage(CoverageOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  config::Problems problems(options.directory);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const auto set = loadPolicyDir(options.directory, problems, trust);
  reportDoubts(trust);
  if (problems.any()) return reportProblems(problems);
  auto evaluator = policy::PolicyEvaluator::create(set);
  if (!evaluator) return failed(evaluator.error());
  std::set<std::pair<std::string, int>> lines;
  if (auto* lua = dynamic_cast<lua::LuaEvaluator*>(&evaluator.value()->engine(0))) lines = lua->codeLines();
  Used used;
  runtime::ReplayPlan plan;
  plan.candidate = set;
  plan.query = options.query;
  plan.threads = std::max(1u, std::thread::hardware_concurrency());
  plan.on_line = [&](const char* file, int line) { ++used.lines[{file, line}]; };
  plan.on_decision = [&](const audit::Row&, const policy::Decision& decision, runtime::Difference what) {
    if (what == runtime::Difference::kUnknown || what == runtime::Difference::kNotAsked) return;
    ++used.rules[{std::string(decision.policy), std::string(decision.rule)}];
  };
  runtime::ReplayReport report;
  for (const auto& log : options.logs) {
    auto part = runtime::replay(log, plan);
    if (!part) return failed(part.error());
    runtime::add(report, part.value(), plan.examples);
  }
  const TestReport tests = testsOf(options.directory, set);
  if (options.format == "json") {
    printJson(*set, lines, used, tests, report);
    return 0;
  }
  std::cout << report.decisions() << " recorded decisions, replayed with this policy";
  if (const int64_t unknown = report.counts[static_cast<size_t>(runtime::Difference::kUnknown)]; unknown > 0)
    std::cout << "; " << unknown << " undecided: they need data that the log does not have";
  std::cout << "\n\n";
  printText(*set, lines, used, tests);
  return 0;
}

}  // namespace yett::cli
