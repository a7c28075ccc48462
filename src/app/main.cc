// The command line: which words there are, and which function each one means.
#include <CLI/CLI.hpp>
#include <cstring>
#include <iostream>
#include <optional>
#include <set>

#include "app/run.h"
#include "audit/chain_writer.h"
#include "audit/log_files.h"
#include "base/text.h"
#include "cli/certs.h"
#include "cli/check.h"
#include "cli/eval.h"
#include "cli/log.h"
#include "cli/replay.h"
#include "cli/suggest.h"
#include "cli/test.h"
#include "net/tls_memory.h"
#include "target/canonical.h"

extern char** environ;

namespace yett {
namespace {

constexpr const char* kDefaultConfig = "yett.json";

// A misspelt setting must not be a setting that is silently not there.
bool checkEnvironment() {
  static constexpr std::string_view kKnown[] = {"YETT_CONFIG", "YETT_LOG_LEVEL"};
  bool ok = true;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name(*entry, std::strcspn(*entry, "="));
    if (!name.starts_with("YETT_") || std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown))
      continue;
    std::cerr << "yett: environment: unknown variable `" << name << "`" << base::didYouMean(name, kKnown) << "\n";
    ok = false;
  }
  return ok;
}

struct Options {
  std::string config;
  std::string target;
  std::string level = "info";
  cli::LogOptions query;
  cli::EraseOptions erase;
  cli::ReplayOptions replay;
  cli::SuggestOptions suggest;
  cli::CoverageOptions coverage;
  std::vector<std::string> logs;
  bool follows = false;  // the log, for as long as it goes on
  cli::VerifyOptions verify;
  cli::IssueOptions issue;
  cli::TestOptions test;
  cli::EvalOptions eval;
  std::string trust_domain = "example.org";
  bool force = false;
  bool strict = false;
  std::string file;
};

void addConfig(CLI::App& command, Options& o) {
  command.add_option("-c,--config", o.config, "configuration file")
      ->envname("YETT_CONFIG")
      ->default_val(kDefaultConfig);
}

void addLogSource(CLI::App& command, Options& o) {
  addConfig(command, o);
  command.add_option("--log", o.logs, "audit database, instead of the configuration's; several go on from each other");
}

void addFormat(CLI::App& command, std::string& format, const std::vector<std::string>& known) {
  // Commands share the variable: a default is what the one that runs makes of an empty one.
  command.add_option("--format", format, base::joined(known, ", "))
      ->check(CLI::IsMember(known))
      ->default_str(known.front());
}

void addTimes(CLI::App& command, std::string& since, std::string& until) {
  command.add_option("--since", since, "10m, \"2 hours ago\", today, monday, 2026-11-21T12:00:00Z (UTC)");
  command.add_option("--until", until, "as --since");
}

// `rules`: also by the policy and rule that decided.
void addFilters(CLI::App& command, audit::Query& q, bool rules) {
  // An empty variable of a script must not mean everybody.
  const auto filter = [&](const char* name, std::string& value, const char* help) {
    command.add_option(name, value, help)->check([](const std::string& text) {
      return text.empty() ? std::string("is empty: leave it out to ask for all") : std::string();
    });
  };
  command.add_option("--effect", q.effect, "allow or deny")->check(CLI::IsMember({"allow", "deny"}));
  filter("--principal", q.principal, "SPIFFE ID, or `anonymous`; a last * matches what begins so");
  filter("--method", q.method, "method");
  filter("--path", q.path, "canonical path; a last * matches what begins so");
  if (rules) filter("--policy", q.policy, "policy");
  if (rules) filter("--rule", q.rule, "rule; `default` for default denials");
  filter("--id", q.id, "decision id");
}

void addEvents(CLI::App& command, Options& o) {
  command.add_flag("--events", o.query.events, "events (starts, reloads, failed handshakes) instead of decisions");
}

// What people write, as records have it: `anonymous`, and paths with letters that a request encodes.
void normalize(audit::Query& q) {
  if (q.principal == "anonymous") {
    q.principal.clear();
    q.anonymous = true;
  }
  const bool prefix = q.path.ends_with('*');
  auto literal = target::canonicalLiteral(std::string_view(q.path).substr(0, q.path.size() - (prefix ? 1 : 0)));
  if (q.path.starts_with('/') && literal) q.path = literal.value() + (prefix ? "*" : "");
}

int withDatabase(Options& o, const std::function<int()>& then) {
  for (auto* query : {&o.query.query, &o.erase.query, &o.replay.query, &o.suggest.query, &o.coverage.query})
    normalize(*query);
  std::set<std::string> once;
  for (const auto& log : o.logs) {
    if (!once.insert(log).second) return cli::failed(Error{"--log " + log + " is there twice"});
  }
  // Rotation waits until all files are read: they are opened one after the other.
  std::optional<audit::RotationLock> lock;
  if (o.logs.empty()) {
    auto databases = cli::databasesOf(o.config);
    if (!databases) return cli::failed(databases.error());
    o.logs = databases.value();
    if (!o.follows) {
      lock.emplace(audit::RotationLock::shared(o.logs.back()));
      databases = cli::databasesOf(o.config);  // as they are now that nothing moves
      if (databases) o.logs = databases.value();
    }
  }
  o.query.databases = o.logs;
  return then();
}

void addCoverage(CLI::App& log, Options& o, std::function<int()>& action) {
  auto* coverage = log.add_subcommand("coverage", "which rules and lines production has used, beside the tests");
  addLogSource(*coverage, o);
  addFormat(*coverage, o.coverage.format, {"text", "json"});
  coverage->add_option("--policy", o.coverage.directory, "policy directory")->required();
  addTimes(*coverage, o.coverage.since, o.coverage.until);
  addFilters(*coverage, o.coverage.query, false);
  coverage->callback([&] {
    action = [&o] {
      return withDatabase(o, [&o] {
        o.coverage.logs = o.logs;
        return cli::logCoverage(o.coverage);
      });
    };
  });
}

void addLogCommands(CLI::App& app, Options& o, std::function<int()>& action) {
  auto* log = app.add_subcommand("log", "read the audit log");
  log->require_subcommand(1);
  o.query.format.clear();
  o.query.query.limit = 0;
  const auto reads = [&](const char* name, const char* help, const std::vector<std::string>& formats) {
    auto* command = log->add_subcommand(name, help);
    addLogSource(*command, o);
    addFormat(*command, o.query.format, formats);
    return command;
  };
  const auto filters = [&](CLI::App& command) {
    addTimes(command, o.query.since, o.query.until);
    addFilters(command, o.query.query, true);
  };
  const auto limit = [&](CLI::App& command, const char* help, int64_t most) {
    command.add_option("--limit", o.query.query.limit, help)
        ->check(CLI::Range(int64_t{1}, int64_t{10'000'000}))
        ->default_str(std::to_string(most));
  };
  const auto runs = [&](CLI::App* command, std::function<int()> run) {
    const std::string format = command->get_option("--format")->get_default_str();
    const bool stats = command->get_name() == "stats";
    command->callback([&o, &action, run, format, stats] {
      if (o.query.format.empty()) o.query.format = format;
      if (o.query.query.limit == 0) o.query.query.limit = stats ? 10 : 100;
      action = [&o, run] { return withDatabase(o, run); };
    });
  };

  auto* query = reads("query", "decisions, newest last", {"table", "json", "csv"});
  filters(*query);
  addEvents(*query, o);
  limit(*query, "so many at the most", 100);
  const auto onlyTimes = [&o] {
    const audit::Query& q = o.query.query;
    return !o.query.events || (q.effect + q.principal + q.method + q.path + q.policy + q.rule + q.id).empty();
  };
  runs(query, [&o, onlyTimes] {
    if (!onlyTimes()) return cli::failed(Error{"--events are filtered by --since and --until alone"});
    return cli::logQuery(o.query);
  });
  auto* tail = reads("tail", "decisions as they are made, until interrupted", {"table", "json", "csv"});
  filters(*tail);
  addEvents(*tail, o);
  runs(tail, [&o] { return cli::logTail(o.query); });
  tail->preparse_callback([&o](size_t) { o.follows = true; });
  auto* exported = reads("export", "all decisions, oldest first", {"json", "csv"});
  filters(*exported);
  addEvents(*exported, o);
  runs(exported, [&o] { return cli::logExport(o.query); });
  auto* stats = reads("stats", "counts: by principal, rule and denial, or by what you say", {"table", "json", "csv"});
  filters(*stats);
  stats->add_option("--by", o.query.by, "columns to group by: principal, rule, path, ...")->delimiter(',');
  limit(*stats, "so many groups at the most", 10);
  runs(stats, [&o] { return cli::logStats(o.query); });
  auto* show = reads("show", "the whole story of one decision", {"text", "json"});
  show->add_option("id", o.target, "decision id")->required();
  runs(show, [&o] { return cli::logShow(o.query.databases, o.target, o.query.format); });
  auto* verify = reads("verify", "prove that nothing was changed, removed or inserted", {"text", "json"});
  verify->add_option("--key", o.verify.key, "the key that must have signed, itself or one it handed over to (PEM)");
  verify->add_option("--checkpoint", o.verify.checkpoint,
                     "SEQ:HASH of a checkpoint that left the host: shows a tail cut off");
  runs(verify, [&o] { return cli::logVerify(o.query.databases, o.verify, o.query.format); });
  addCoverage(*log, o, action);
  auto* erase = log->add_subcommand("erase", "take the personal fields out of decisions; the proof stays");
  addLogSource(*erase, o);
  addTimes(*erase, o.erase.since, o.erase.until);
  addFilters(*erase, o.erase.query, false);
  erase->add_option("--reason", o.erase.why, "why, for the event in the chain");
  erase->add_flag("--yes", o.erase.yes, "do it; else only count");
  erase->callback([&] {
    action = [&o] {
      const bool named = !o.logs.empty();
      return withDatabase(o, [&o, named] {
        if (named && o.logs.size() > 1) return cli::failed(Error{"one --log at a time is erased from"});
        o.erase.database = o.logs.back();
        o.erase.config = named ? "" : o.config;
        return cli::logErase(o.erase);
      });
    };
  });
}

void addSuggest(CLI::App& app, Options& o, std::function<int()>& action) {
  auto* suggest = app.add_subcommand("suggest", "the least policy that allows what the log has seen");
  addLogSource(*suggest, o);
  suggest->add_option("--out", o.suggest.out, "folder to make for policy and tests; else the policy goes to stdout");
  suggest->add_option("--name", o.suggest.name, "of the policy")->default_val("suggested");
  addTimes(*suggest, o.suggest.since, o.suggest.until);
  addFilters(*suggest, o.suggest.query, true);
  suggest->callback([&] {
    action = [&o] {
      return withDatabase(o, [&o] {
        o.suggest.logs = o.logs;
        return cli::suggest(o.suggest);
      });
    };
  });
}

void addReplay(CLI::App& app, Options& o, std::function<int()>& action) {
  auto* replay = app.add_subcommand("replay", "decide the recorded requests again, and say what would change");
  addConfig(*replay, o);
  replay->add_option("--log", o.logs, "audit database, instead of the configuration's; several go on from each other");
  replay->add_option("--policy", o.replay.directory,
                     "the candidate: a policy directory; else the configuration's engines");
  addTimes(*replay, o.replay.since, o.replay.until);
  addFilters(*replay, o.replay.query, false);
  addFormat(*replay, o.replay.format, {"text", "json"});
  replay->add_option("--examples", o.replay.examples, "of each difference")->check(CLI::Range(0, 100))->default_val(3);
  replay->add_option("--threads", o.replay.threads, "0: one for each core")->check(CLI::Range(0, 256))->default_val(0);
  replay->callback([&] {
    action = [&o] {
      return withDatabase(o, [&o] {
        o.replay.logs = o.logs;
        o.replay.config = o.config;
        return cli::replay(o.replay);
      });
    };
  });
}

int main(int argc, char** argv) {
  yett::net::keepRecordBuffers();
  if (!checkEnvironment()) return 2;
  Options o;
  std::function<int()> action;
  CLI::App app("Yett: an authorization sidecar. Stands in front of a service and asks policy about every request.",
               "yett");
  app.require_subcommand(1);

  auto* run = app.add_subcommand("run", "serve until SIGTERM; SIGHUP reloads at once");
  addConfig(*run, o);
  run->add_option("--log-level", o.level, "debug, info, warning or error")
      ->envname("YETT_LOG_LEVEL")
      ->default_val("info");
  run->callback([&] {
    action = [&] {
      base::Logger::Level level{};
      if (base::Logger::parseLevel(o.level, level)) return app::run(o.config, level);
      std::cerr << "yett: log level `" << base::printable(o.level) << "`: must be debug, info, warning or error\n";
      return 2;
    };
  });

  auto* check = app.add_subcommand("check", "every problem of a configuration or a policy directory");
  addConfig(*check, o);
  check->add_option("dir", o.target, "policy directory, instead of a configuration");
  check->add_flag("--strict", o.strict, "warnings count as problems");
  check->callback([&] { action = [&] { return cli::check(o.target.empty() ? o.config : o.target, o.strict); }; });

  auto* test = app.add_subcommand("test", "run the tests of a policy directory (*_test.lua)");
  test->add_option("dir", o.test.directory, "policy directory")->required();
  test->add_option("--format", o.test.format, "text, json or junit")
      ->check(CLI::IsMember({"text", "json", "junit"}))
      ->default_val("text");
  test->add_flag("--coverage", o.test.coverage, "which rules decided and which lines of conditions ran");
  test->add_option("--least-coverage", o.test.least_coverage, "fail under so many percent; implies --coverage")
      ->check(CLI::Range(0, 100));
  test->callback([&] {
    if (o.test.least_coverage > 0) o.test.coverage = true;
    action = [&] { return cli::test(o.test); };
  });

  auto* eval = app.add_subcommand("eval", "decide about one request");
  eval->add_option("dir", o.eval.directory, "policy directory")->required();
  eval->add_option("--request", o.eval.request, "check request as JSON: a file or -");
  eval->add_option("--http", o.eval.http, "HTTP/1.1 request: a file or -");
  eval->add_option("--principal", o.eval.principal, "with --http: the caller's SPIFFE ID");
  eval->add_option("--source", o.eval.source, "with --http: the caller's address")->default_val("127.0.0.1");
  eval->add_option("--time", o.eval.time, "with --http: seconds since 1970");
  eval->add_flag("--explain", o.eval.explain, "every rule, and why it applies or not");
  eval->add_option("--format", o.eval.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->default_val("text");
  eval->callback([&] { action = [&] { return cli::eval(o.eval); }; });

  addLogCommands(app, o, action);
  addReplay(app, o, action);
  addSuggest(app, o, action);

  auto* certs = app.add_subcommand("certs", "a development CA that mints X.509-SVIDs");
  certs->require_subcommand(1);
  auto* init = certs->add_subcommand("init", "make the CA");
  init->add_option("--dir", o.issue.directory, "folder")->default_val("certs/dev");
  init->add_option("--trust-domain", o.trust_domain, "trust domain")->default_val("example.org");
  init->add_flag("--force", o.force, "replace a CA that is there");
  init->callback([&] { action = [&] { return cli::certsInit(o.issue.directory, o.trust_domain, o.force); }; });
  auto* issue = certs->add_subcommand("issue", "mint an SVID and its key");
  issue->add_option("id", o.issue.spiffe_id, "SPIFFE ID")->required();
  issue->add_option("--dir", o.issue.directory, "folder of the CA")->default_val("certs/dev");
  issue->add_option("--name", o.issue.name, "file name without ending (default: the last segment of the ID)");
  issue->add_option("--dns", o.issue.dns_names, "DNS name, for a server's certificate");
  issue->add_option("--ip", o.issue.ip_addresses, "IP address, for a server's certificate");
  issue->add_option("--ttl", o.issue.ttl, "time to live")->default_val("30d");
  issue->callback([&] { action = [&] { return cli::certsIssue(o.issue); }; });
  auto* inspect = certs->add_subcommand("inspect", "what a certificate says");
  inspect->add_option("file", o.file, "PEM file")->required();
  inspect->callback([&] { action = [&] { return cli::certsInspect(o.file); }; });

  app.add_subcommand("version", "print the version")->callback([&] {
    action = [] {
      std::cout << "yett " YETT_VERSION "\n";
      return 0;
    };
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return action();
}

}  // namespace
}  // namespace yett

int main(int argc, char** argv) {
  return yett::main(argc, argv);
}
