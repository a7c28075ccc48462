#include "cli/suggest.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>

#include "base/hash.h"
#include "cli/command.h"
#include "cli/log.h"
#include "lua/engine.h"
#include "policy/attribute_reader.h"
#include "policy/decision.h"
#include "policy/policy_set.h"
#include "policy/policy_source.h"
#include "policy/rule_engine.h"
#include "runtime/recorded_request.h"
#include "runtime/replay.h"
#include "runtime/suggest.h"

namespace yett::cli {
namespace {

using runtime::Difference;

bool heldOut(const audit::Row& row) {
  return base::hashBytes(row.id, 7) % 3 == 0;
}

Result<std::shared_ptr<const policy::PolicySet>> setOf(const runtime::Suggestion& suggestion, const std::string& name) {
  policy::PolicySource source;
  source.directory = "the suggested policy";
  source.files["suggested.lua"] = suggestion.policyText(name);
  source.digest = policy::PolicySource::digestOf(source.files);
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(std::move(source), problems);
  if (!rules) return Error{problems.front()};
  return std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, std::move(rules)}},
                                                   policy::Budget{});
}

Result<runtime::ReplayReport> replayAll(const SuggestOptions& options, runtime::ReplayPlan plan) {
  plan.query = options.query;
  plan.threads = std::max(1u, std::thread::hardware_concurrency());
  runtime::ReplayReport out;
  for (const auto& log : options.logs) runtime::add(out, TRY(runtime::replay(log, plan)), plan.examples);
  return out;
}

// Tests a policy learned from two thirds of the log on the rest.
Result<std::string> holdOut(const SuggestOptions& options, const runtime::Learner& part) {
  const auto suggestion = part.suggest();
  if (suggestion.rules.empty()) return std::string("too few decisions to hold any out");
  runtime::ReplayPlan plan;
  plan.candidate = TRY(setOf(suggestion, options.name));
  int64_t held = 0;
  int64_t missed = 0;
  plan.on_decision = [&](const audit::Row& row, const policy::Decision& decision, Difference what) {
    if (row.effect != "allow" || what == Difference::kNotAsked || !heldOut(row)) return;
    ++held;
    if (!decision.allow) ++missed;
  };
  TRY(replayAll(options, plan));
  return "of " + std::to_string(held) +
         " allowed decisions that were held out, a policy learned from the others denies " + std::to_string(missed);
}

// Tries seen requests with one thing changed: those that are allowed show how far the policy goes beyond the evidence.
class Mutations {
 public:
  explicit Mutations(std::unique_ptr<policy::PolicyEvaluator> evaluator) : evaluator_(std::move(evaluator)) {}

  void run(const runtime::Suggestion& suggestion) {
    std::set<std::string> callers;
    for (const auto& rule : suggestion.rules) callers.insert(rule.seen_principals.begin(), rule.seen_principals.end());
    for (const auto& rule : suggestion.rules) {
      audit::Row row = rule.example;
      for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}) {
        if (!rule.methods.contains(method)) ask(row, row.principal, method, row.path, methods_);
      }
      size_t others = 0;
      for (const auto& caller : callers) {
        if (rule.seen_principals.contains(caller) || ++others > 20) continue;
        ask(row, caller, row.method, row.path, callers_);
      }
      if (row.principal.find('/', 9) != std::string::npos)
        ask(row, row.principal.substr(0, row.principal.rfind('/')) + "/never-seen", row.method, row.path, callers_);
      mutatePath(row);
    }
  }
  std::string text() const {
    const auto part = [](const char* what, const Tally& t) {
      return std::to_string(t.allowed) + " of " + std::to_string(t.asked) + " with another " + what;
    };
    return "requests like those seen with one thing changed are allowed: " + part("method", methods_) + ", " +
           part("caller", callers_) + ", " + part("path segment", segments_) + ", " + part("length of path", lengths_);
  }

 private:
  struct Tally {
    int64_t asked = 0, allowed = 0;
  };
  void ask(audit::Row row, const std::string& principal, const std::string& method, const std::string& path,
           Tally& tally) {
    row.principal = principal;
    row.method = method;
    row.path = row.raw_target = path;
    row.policy = "suggested";
    if (request_.take(row, {}, &none_) != runtime::RecordedRequest::Taken::kYes) return;
    reader_.replay(&request_.recorded(), policy::AttributeReader::Unknown::kDenies);
    evaluator_->decide(request_.request(), reader_, decision_);
    ++tally.asked;
    if (decision_.allow) ++tally.allowed;
  }
  void mutatePath(const audit::Row& row) {
    for (size_t at = 0; at < row.path.size(); ++at) {
      if (row.path[at] != '/') continue;
      const auto end = std::min(row.path.find('/', at + 1), row.path.size());
      if (end == at + 1) continue;
      ask(row, row.principal, row.method, row.path.substr(0, at + 1) + "never-seen" + row.path.substr(end), segments_);
    }
    ask(row, row.principal, row.method, row.path + (row.path.ends_with('/') ? "" : "/") + "never-seen", lengths_);
    const auto slash = row.path.rfind('/');
    if (slash > 0) ask(row, row.principal, row.method, row.path.substr(0, slash), lengths_);
  }
  std::unique_ptr<policy::PolicyEvaluator> evaluator_;
  const std::vector<std::string> none_;
  runtime::RecordedRequest request_;
  policy::AttributeReader reader_;
  policy::Decision decision_;
  Tally methods_, callers_, segments_, lengths_;
};

Status writeFiles(const SuggestOptions& options, const runtime::Suggestion& suggestion) {
  if (options.out.empty()) {
    std::cout << suggestion.policyText(options.name);
    return {};
  }
  std::error_code error;
  if (std::filesystem::exists(options.out, error) && !std::filesystem::is_empty(options.out, error))
    return Error{options.out + ": exists and is not empty: name a new folder"};
  std::filesystem::create_directories(options.out, error);
  if (error) return Error{options.out + ": " + error.message()};
  for (const auto& [name, text] :
       {std::pair<std::string, std::string>("suggested.lua", suggestion.policyText(options.name)),
        {"suggested_test.lua", suggestion.testText()}}) {
    std::ofstream file(options.out + "/" + name);
    if (!(file << text).flush()) return Error{options.out + "/" + name + ": cannot be written"};
  }
  return {};
}

}  // namespace

int suggest(SuggestOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  runtime::Learner all;
  runtime::Learner part;
  for (const auto& log : options.logs) {
    auto reader = audit::Reader::open(log);
    if (!reader) return failed(reader.error());
    const auto read = reader.value().each(options.query, [&](const audit::Row& row) {
      all.add(row);
      if (!heldOut(row)) part.add(row);
      return true;
    });
    if (!read) return failed(read.error());
  }
  const auto suggestion = all.suggest();
  if (suggestion.rules.empty()) return failed(Error{"the log has no allowed decision: there is nothing to learn from"});
  auto set = setOf(suggestion, options.name);
  if (!set) return failed(set.error());
  if (auto written = writeFiles(options, suggestion); !written) return failed(written.error());
  runtime::ReplayPlan plan;
  plan.candidate = set.value();
  auto report = replayAll(options, plan);
  auto held = holdOut(options, part);
  auto evaluator = policy::PolicyEvaluator::create(set.value());
  if (!report) return failed(report.error());
  if (!held) return failed(held.error());
  if (!evaluator) return failed(evaluator.error());
  Mutations mutations(std::move(evaluator).value());
  mutations.run(suggestion);
  const auto count = [&](Difference what) { return report.value().counts[static_cast<size_t>(what)]; };
  std::ostream& out = options.out.empty() ? std::cerr : std::cout;
  if (!options.out.empty()) out << options.out << ": suggested.lua and suggested_test.lua\n";
  out << suggestion.rules.size() << " rules from " << suggestion.allowed << " allowed decisions; " << suggestion.denied
      << " were denied, " << suggestion.left_out << " could not be used (erased, masked, or a path with `*` or `{`)\n"
      << "replayed: " << count(Difference::kNewlyDenied) << " newly denied, " << count(Difference::kNewlyAllowed)
      << " newly allowed\n"
      << "held out: " << held.value() << "\n"
      << "width: " << mutations.text() << "\n";
  return report.value().differing() > 0 ? 1 : 0;
}

void addSuggest(CLI::App& app, Action& action) {
  struct Suggest {
    LogSource source;
    SuggestOptions options;
  };
  const auto s = std::make_shared<Suggest>();
  auto* command = app.add_subcommand("suggest", "suggest the narrowest policy that allows what the log has seen");
  addLogSource(*command, s->source);
  command->add_option("--out", s->options.out, "folder to create for policy and tests; default: policy to stdout");
  command->add_option("--name", s->options.name, "name of the policy")->capture_default_str();
  addTimes(*command, s->options.since, s->options.until);
  addFilters(*command, s->options.query, true);
  command->callback([s, &action] {
    action = [s] {
      return withLogs(s->source, s->options.query, [&] {
        s->options.logs = s->source.logs;
        return suggest(s->options);
      });
    };
  });
}

}  // namespace yett::cli
