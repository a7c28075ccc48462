#include "cli/command.h"

#include <set>

#include "audit/log_files.h"
#include "base/text.h"
#include "cli/log.h"
#include "target/canonical.h"

namespace yett::cli {

void addConfig(CLI::App& command, std::string& config) {
  command.add_option("-c,--config", config, "configuration file")->envname("YETT_CONFIG")->default_val("yett.json");
}

void addLogSource(CLI::App& command, LogSource& source) {
  addConfig(command, source.config);
  command.add_option("--log", source.named,
                     "audit database, instead of the configured one; repeat it for the files of one chain");
}

void addFormat(CLI::App& command, std::string& format, const std::vector<std::string>& known) {
  format = known.front();
  command.add_option("--format", format, base::joined(known, ", "))->check(CLI::IsMember(known))->capture_default_str();
}

void addTimes(CLI::App& command, std::string& since, std::string& until) {
  command.add_option("--since", since, "10m, \"2 hours ago\", today, monday, 2026-11-21T12:00:00Z (UTC)");
  command.add_option("--until", until, "as --since");
}

void addFilters(CLI::App& command, audit::Query& q, bool rules) {
  // An empty script variable must not match everybody.
  const auto filter = [&](const char* name, std::string& value, const char* help) {
    command.add_option(name, value, help)->check([](const std::string& text) {
      return text.empty() ? std::string("is empty: omit it to match everything") : std::string();
    });
  };
  command.add_option("--effect", q.effect, "allow or deny")->check(CLI::IsMember({"allow", "deny"}));
  filter("--principal", q.principal, "SPIFFE ID, or `anonymous`; a trailing * matches a prefix");
  filter("--method", q.method, "method");
  filter("--path", q.path, "canonical path; a trailing * matches a prefix");
  if (rules) filter("--policy", q.policy, "policy");
  if (rules) filter("--rule", q.rule, "rule; `default` for default denials");
  filter("--id", q.id, "decision id");
}

namespace {

// Converts user input to the form used in records: `anonymous`, and paths with characters that a request encodes.
void normalize(audit::Query& q) {
  if (q.principal == "anonymous") {
    q.principal.clear();
    q.anonymous = true;
  }
  const bool prefix = q.path.ends_with('*');
  auto literal = target::canonicalLiteral(std::string_view(q.path).substr(0, q.path.size() - (prefix ? 1 : 0)));
  if (q.path.starts_with('/') && literal) q.path = literal.value() + (prefix ? "*" : "");
}

}  // namespace

int withLogs(LogSource& source, audit::Query& query, const Action& then) {
  normalize(query);
  std::set<std::string> once;
  for (const auto& log : source.named) {
    if (!once.insert(log).second) return failed(Error{"--log " + log + " is given twice"});
    source.logs.push_back(audit::refTo(log));
  }
  if (source.named.empty()) {
    auto databases = databasesOf(source.config);
    if (!databases) return failed(databases.error());
    source.logs = std::move(databases).value();
  }
  return then();
}

}  // namespace yett::cli
