// `yett log show ID`: reconstructs a decision from what the log keeps.
#include <algorithm>
#include <iostream>

#include "audit/later_outcomes.h"
#include "audit/reader.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/log.h"
#include "cli/log_print.h"
#include "cli/traces.h"
#include "policy/secret_names.h"
#include "runtime/policy_document.h"
#include "runtime/recorded_request.h"

namespace yett::cli {
namespace {

struct Story {
  audit::Row row;
  std::shared_ptr<const policy::PolicySet> policy;  // null: unavailable
  std::string no_policy;                            // why
  std::vector<policy::RuleTrace> rules;
  bool undecided() const {
    const auto open = [](const policy::RuleTrace& rule) { return !rule.undecided.empty(); };
    return !no_policy.empty() || std::any_of(rules.begin(), rules.end(), open);
  }
};

// Evaluates each rule twice: once as if unknown values deny, once as if they allow. If both agree, the unknown values
// did not matter.
Status explain(Story& story) {
  using Unknown = policy::AttributeReader::Unknown;
  runtime::RecordedRequest request;
  static const std::vector<std::string> kNone;
  const auto taken = request.take(story.row, story.policy->ownedHeaders(), &kNone);
  if (taken == runtime::RecordedRequest::Taken::kNotAsked) return Error{std::string(request.why())};
  if (taken == runtime::RecordedRequest::Taken::kUnknown)
    return Error{"they need " + std::string(request.why()) + ", which the log does not have"};
  auto evaluator = TRY(policy::PolicyEvaluator::create(story.policy));
  policy::AttributeReader reader;
  std::vector<policy::RuleTrace> allowing;
  reader.replay(&request.recorded(), Unknown::kAllows);
  evaluator->explain(request.request(), reader, allowing);
  reader.replay(&request.recorded(), Unknown::kDenies);
  evaluator->explain(request.request(), reader, story.rules);
  for (size_t i = 0; i < story.rules.size() && i < allowing.size(); ++i) {
    policy::RuleTrace& rule = story.rules[i];
    if (!rule.evaluated && !allowing[i].evaluated && rule.applies == allowing[i].applies) rule.undecided.clear();
    else if (rule.undecided.empty()) rule.undecided = allowing[i].undecided;
  }
  return {};
}

// Makes the beginning of an id the whole id.
Status complete(const std::vector<audit::LogRef>& databases, std::string& id) {
  constexpr size_t kMax = 5;
  audit::Query query;
  query.id = id + "*";
  query.limit = kMax;
  std::vector<std::string> found;
  for (const auto& database : databases) {
    auto opened = TRY(openListed(database));
    if (!opened) continue;
    for (const auto& row : TRY(opened->decisions(query))) found.push_back(row.id);
  }
  if (found.empty()) return Error{"no decision whose id begins with `" + id + "` in the log"};
  if (found.size() > 1)
    return Error{"several decisions have ids that begin with `" + id + "`: " + base::joined(found, ", ") +
                 (found.size() >= kMax ? ", ..." : "")};
  id = found.front();
  return {};
}

Result<Story> find(const std::vector<audit::LogRef>& databases, const std::string& id) {
  Story out{};
  if (id.empty()) return Error{"which decision? Give its id, as `yett log query --format json` shows it"};
  audit::Query query;
  query.id = base::lowered(id);
  if (query.id.size() > 36 || query.id.find_first_not_of("0123456789abcdef-") != std::string::npos)
    return Error{"`" + base::printable(id) + "` is not a decision id, nor how one begins"};
  if (query.id.size() < 36) TRY(complete(databases, query.id));
  query.limit = 1;
  for (size_t file = 0; file < databases.size(); ++file) {
    auto opened = TRY(openListed(databases[file]));
    if (!opened) continue;
    audit::Reader& reader = *opened;
    auto rows = TRY(reader.decisions(query));
    if (rows.empty()) continue;
    out.row = std::move(rows.front());
    TRY(audit::LaterOutcomes(databases).complete(file, out.row));
    const std::string document = TRY(reader.policySource(out.row.policy_digest));
    if (document.empty()) {
      out.no_policy = "the log does not keep the source of its policy";
      return out;
    }
    auto policy = runtime::policyFromDocument(document);
    if (!policy) {
      out.no_policy = policy.error().message;
      return out;
    }
    out.policy = policy.value();
    if (auto told = explain(out); !told) out.no_policy = told.error().message;
    return out;
  }
  return Error{"no decision `" + base::printable(id) + "` in the log"};
}

void printReads(const std::string& reads) {
  auto parsed = json::parse(reads.empty() ? "{}" : reads, false);
  if (!parsed || parsed.value().fields.empty()) return;
  std::cout << "\nWHAT POLICY READ\n";
  for (const auto& [name, value] : parsed.value().fields) {
    std::cout << "  " << base::printable(name);
    if (value.type == json::Value::Type::kNull) std::cout << " was absent\n";
    else if (const auto* digest = value.find("hmac"))
      std::cout << " = (masked, digest " << base::printable(digest->text) << ")\n";
    else if (value.find("masked") != nullptr) std::cout << " = (masked)\n";
    else if (value.find("error") != nullptr) std::cout << " could not be read as one value\n";
    else if (const auto* bytes = value.find("bytes")) std::cout << ": " << bytes->integer << " bytes\n";
    else if (value.type == json::Value::Type::kInt) std::cout << " = " << value.integer << "\n";
    else if (value.type == json::Value::Type::kBool) std::cout << " = " << (value.boolean ? "true" : "false") << "\n";
    else if (value.type == json::Value::Type::kString) std::cout << " = " << base::printable(value.text) << "\n";
    else std::cout << ": " << value.items.size() << " values\n";
  }
}

// The lines of the rule that decided, as they were then.
void printSource(const Story& story) {
  if (!story.policy) return;
  for (const auto& engine : story.policy->engines()) {
    for (const auto& rule : engine.rules->rules()) {
      if (rule.policy != story.row.policy || rule.rule != story.row.rule) continue;
      const auto colon = rule.position.rfind(':');
      const auto file = engine.rules->files().find(rule.position.substr(0, colon));
      uint64_t line = 0;
      if (colon == std::string::npos || file == engine.rules->files().end() ||
          !base::parseUnsigned(rule.position.substr(colon + 1), line))
        return;
      std::cout << "\nTHE RULE, AS IT WAS (" << base::printable(rule.position) << ")\n";
      const auto lines = base::split(file->second, '\n');
      for (size_t i = line - 1; i < std::min<size_t>(lines.size(), line + 14); ++i) {
        if (i + 1 > line && base::trimmed(lines[i]).empty()) break;
        std::cout << "  " << base::printable(policy::withoutCredentials(lines[i])) << "\n";
      }
    }
  }
}

void printText(const Story& story) {
  const audit::Row& r = story.row;
  std::cout << (r.effect == "allow" ? "ALLOW" : "DENY") << " by " << shownRule(r.policy, r.rule) << "\n";
  const auto line = [](const char* name, const std::string& value) {
    if (!value.empty())
      std::cout << "  " << name << std::string(14 - std::string_view(name).size(), ' ') << base::forTerminal(value)
                << "\n";
  };
  line("decision", r.id + ", record " + std::to_string(r.seq));
  line("time", base::formatTime(r.time));
  line("caller", r.erased ? "(erased)" : shownPrincipal(r.principal) + (r.source.empty() ? "" : " from " + r.source));
  line("request", r.erased ? r.method + " (erased)" : r.method + " " + r.raw_target + " " + r.protocol);
  line("host", r.host);
  line("listener", r.listener + (r.route.empty() ? ", no route" : ", route " + r.route));
  line("reason", r.reason);
  line("errors", r.errors);
  line("would deny", r.would_deny);
  line("shadow", r.shadow);
  line("policy", r.policy_digest + ", engine " + r.engine);
  line("took", std::to_string(r.eval_ns) + " ns" + (r.cached ? ", all conditions from the cache" : ""));
  if (r.ended)
    line("outcome", std::to_string(r.status) + ", " + r.result + (r.upstream.empty() ? "" : ", from " + r.upstream) +
                        ", " + std::to_string(r.bytes_in) + " bytes in, " + std::to_string(r.bytes_out) + " out, " +
                        std::to_string(r.duration_us) + " us");
  else line("outcome", "none yet: still in flight, or the process ended first");
  printReads(r.reads);
  if (!story.no_policy.empty())
    std::cout << "\nthe rules cannot be shown: " << base::printable(story.no_policy) << "\n";
  if (!story.rules.empty()) std::cout << "\nEACH RULE CONSIDERED\n";
  printTraces(story.rules, "  ");
  printSource(story);
}

}  // namespace

int logShow(const std::vector<audit::LogRef>& databases, const std::string& id, const std::string& format) {
  auto story = find(databases, id);
  if (!story) return failed(story.error());
  if (format != "json") {
    printText(story.value());
    return story.value().undecided() ? 3 : 0;
  }
  std::string row = asJson(story.value().row);
  row.resize(row.size() - 2);  // removes "}\n": more follows
  row += ",\"explain\":[";
  for (const auto& trace : story.value().rules) row += (row.back() == '[' ? "" : ",") + traceJson(trace);
  row += "]";
  if (!story.value().no_policy.empty()) {
    row += ",\"not_explained\":";
    json::appendQuoted(row, story.value().no_policy);
  }
  std::cout << row << "}\n";
  return story.value().undecided() ? 3 : 0;
}

}  // namespace yett::cli
