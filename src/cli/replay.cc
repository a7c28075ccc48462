#include "cli/replay.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/log.h"
#include "cli/log_print.h"
#include "cli/policy_dir.h"
#include "config/config.h"
#include "config/object_reader.h"
#include "policy/policy_set.h"
#include "runtime/policy_build.h"
#include "runtime/replay.h"

namespace yett::cli {
namespace {

using runtime::Difference;
using runtime::ReplayReport;

constexpr std::string_view kNames[] = {
    "same", "same_effect_other_rule", "newly_denied", "newly_allowed", "undecided", "not_asked"};

std::shared_ptr<const policy::PolicySet> candidateOf(const ReplayOptions& options, config::Problems& problems) {
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  std::shared_ptr<const policy::PolicySet> out;
  if (!options.directory.empty()) {
    out = loadPolicyDir(options.directory, problems, trust);
  } else {
    const auto config = config::readConfig(options.config, problems, trust);
    if (!problems.any()) out = runtime::loadPolicy(config.engines, config.budget, problems, trust);
  }
  reportDoubts(trust);
  return out;
}

int64_t countOf(const ReplayReport& report, Difference what) {
  return report.counts[static_cast<size_t>(what)];
}

std::string top(const std::map<std::string, int64_t>& map, size_t most) {
  std::vector<std::pair<int64_t, std::string>> sorted;
  for (const auto& [name, count] : map) sorted.emplace_back(count, name);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out;
  for (size_t i = 0; i < std::min(sorted.size(), most); ++i)
    out += (i > 0 ? ", " : "") + base::printable(sorted[i].second) + " (" + std::to_string(sorted[i].first) + ")";
  if (sorted.size() > most) out += ", and " + std::to_string(sorted.size() - most) + " others";
  return out;
}

void printGroups(const ReplayReport& report, Difference what, const char* title) {
  constexpr size_t kMaxGroups = 20;
  std::vector<std::pair<const std::tuple<Difference, std::string, std::string>*, const runtime::DifferenceGroup*>>
      found;
  for (const auto& [key, group] : report.groups) {
    if (std::get<0>(key) == what) found.emplace_back(&key, &group);
  }
  if (found.empty()) return;
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.second->count > b.second->count; });
  std::cout << "\n" << title << "\n";
  for (size_t i = 0; i < std::min(found.size(), kMaxGroups); ++i) {
    const auto& group = *found[i].second;
    std::cout << "  " << group.count << "  " << base::printable(std::get<1>(*found[i].first)) << "  ->  "
              << base::printable(std::get<2>(*found[i].first)) << "\n";
    std::cout << "      callers  " << top(group.principals, 3) << "\n";
    std::cout << "      routes   " << top(group.routes, 3) << "\n";
    for (const auto& example : group.examples) std::cout << "      e.g.     " << base::printable(example) << "\n";
  }
  if (found.size() > kMaxGroups) std::cout << "  and " << found.size() - kMaxGroups << " other pairs of rules\n";
}

void printText(const ReplayReport& report, const policy::PolicySet& candidate, double seconds) {
  std::cout << report.decisions() << " decisions";
  if (report.decisions() > 0) std::cout << " from " << shownTime(report.first) << " to " << shownTime(report.last);
  std::cout << ", decided again by policy " << candidate.digest().substr(0, 12) << " in ";
  std::printf("%.1f s\n", seconds);
  std::fflush(stdout);
  const auto line = [&](Difference what, const char* text, const std::string& more) {
    const int64_t count = countOf(report, what);
    if (count == 0 && what >= Difference::kUnknown) return;
    std::cout << "  " << std::string(12 - std::min<size_t>(11, std::to_string(count).size()), ' ') << count << "  "
              << text << (more.empty() ? "" : ": " + more) << "\n";
  };
  line(Difference::kSame, "the same", "");
  line(Difference::kOtherRule, "the same, by another rule", "");
  line(Difference::kNewlyDenied, "newly denied", "");
  line(Difference::kNewlyAllowed, "newly allowed", "");
  line(Difference::kUnknown, "undecided: the answer needs data that the log does not have", top(report.unknown, 5));
  line(Difference::kNotAsked, "not asked", top(report.not_asked, 5));
  printGroups(report, Difference::kNewlyDenied, "NEWLY DENIED");
  printGroups(report, Difference::kNewlyAllowed, "NEWLY ALLOWED");
  printGroups(report, Difference::kOtherRule, "THE SAME, BY ANOTHER RULE");
}

std::string mapJson(const std::map<std::string, int64_t>& map) {
  std::string out;
  json::ObjectWriter w(out);
  for (const auto& [name, count] : map) w.field(name, count);
  w.end();
  return out;
}

void printJson(const ReplayReport& report, const policy::PolicySet& candidate) {
  std::string groups = "[";
  for (const auto& [key, group] : report.groups) {
    std::string examples = "[";
    for (const auto& example : group.examples) {
      if (examples.size() > 1) examples += ',';
      json::appendQuoted(examples, example.substr(0, example.find(' ')));
    }
    if (groups.size() > 1) groups += ',';
    json::ObjectWriter(groups)
        .field("difference", kNames[static_cast<size_t>(std::get<0>(key))])
        .field("recorded", std::get<1>(key))
        .field("candidate", std::get<2>(key))
        .field("count", group.count)
        .raw("principals", mapJson(group.principals))
        .raw("routes", mapJson(group.routes))
        .raw("examples", examples + "]")
        .end();
  }
  std::string out;
  json::ObjectWriter w(out);
  w.field("decisions", report.decisions()).field("policy_digest", candidate.digest());
  for (size_t i = 0; i < runtime::kDifferences; ++i) w.field(kNames[i], report.counts[i]);
  w.raw("unknown", mapJson(report.unknown)).raw("not_asked_because", mapJson(report.not_asked));
  w.raw("groups", groups + "]").end();
  std::cout << out << "\n";
}

// A check that gates a change on this must not see "no difference" if the log cannot answer.
int verdict(const ReplayReport& report, int64_t asked, double most_undecided) {
  if (report.differing() > 0) return 1;
  const double percent = 100.0 * static_cast<double>(report.undecided()) / static_cast<double>(asked);
  if (percent <= most_undecided) return 0;
  std::fprintf(stderr, "yett: %lld of %lld decisions are undecided (%.2f %%, --max-undecided allows %g %%)\n",
               static_cast<long long>(report.undecided()), static_cast<long long>(asked), percent, most_undecided);
  return 3;
}

}  // namespace

int replay(ReplayOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  config::Problems problems(options.directory.empty() ? options.config : options.directory);
  runtime::ReplayPlan plan;
  plan.candidate = candidateOf(options, problems);
  if (!plan.candidate || problems.any()) return reportProblems(problems);
  plan.query = options.query;
  plan.examples = static_cast<size_t>(options.examples);
  plan.threads = options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (terminal) plan.progress = [](int64_t n) { std::cerr << "\r" << n << " decisions" << std::flush; };
  const int64_t began = base::steadyNanos();
  ReplayReport report;
  for (const auto& log : options.logs) {
    auto part = runtime::replay(log, plan);
    if (terminal) std::cerr << "\r\033[K";
    if (!part) return failed(part.error());
    runtime::add(report, part.value(), plan.examples);
  }
  if (options.format == "json") printJson(report, *plan.candidate);
  else printText(report, *plan.candidate, static_cast<double>(base::steadyNanos() - began) / 1e9);
  const int64_t asked = report.decisions() - countOf(report, Difference::kNotAsked);
  if (asked == 0)
    return failed(Error{report.decisions() == 0 ? "the log has no matching decision: nothing was replayed"
                                                : "no policy made these decisions: nothing was replayed"});
  return verdict(report, asked, options.most_undecided);
}

void addReplay(CLI::App& app, Action& action) {
  struct Replay {
    LogSource source;
    ReplayOptions options;
  };
  const auto r = std::make_shared<Replay>();
  auto* command = app.add_subcommand("replay", "decide the recorded requests again and report what would change");
  addLogSource(*command, r->source);
  command->add_option("--policy", r->options.directory,
                      "the candidate: a policy directory; else the configuration's engines");
  addTimes(*command, r->options.since, r->options.until);
  addFilters(*command, r->options.query, false);
  addFormat(*command, r->options.format, {"text", "json"});
  command->add_option("--examples", r->options.examples, "examples per difference")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command
      ->add_option("--max-undecided", r->options.most_undecided,
                   "percent of decisions that may stay undecided, `2%` or `2`; above it, exit 3")
      ->transform([](std::string text) {
        if (text.ends_with('%')) text.pop_back();
        return text;
      })
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_option("--threads", r->options.threads, "number of threads; 0: one per core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  command->callback([r, &action] {
    action = [r] {
      return withLogs(r->source, r->options.query, [&] {
        r->options.logs = r->source.logs;
        r->options.config = r->source.config;
        return replay(r->options);
      });
    };
  });
}

}  // namespace yett::cli
