// `yett log ...`: its subcommands and what each one reads.
#include <memory>

#include "audit/reader.h"
#include "cli/command.h"
#include "cli/log.h"
#include "cli/suggest.h"

namespace yett::cli {
namespace {

// The state of one command that reads the log.
struct Reading {
  LogSource source;
  LogOptions options;
  std::string id;
  std::string file;  // output file
  std::string key;   // key file that signs it
};
using Read = int (*)(Reading&);

class LogCommands {
 public:
  LogCommands(CLI::App& log, Action& action) : log_(log), action_(action) {}

  // A command, its options, and what it does.
  Reading& add(const char* name, const char* help, const std::vector<std::string>& formats, Read read) {
    const auto r = std::make_shared<Reading>();
    command_ = log_.add_subcommand(name, help);
    addLogSource(*command_, r->source);
    addFormat(*command_, r->options.format, formats);
    command_->callback([r, read, &action = action_] {
      action = [r, read] {
        return withLogs(r->source, r->options.query, [&] {
          r->options.databases = r->source.logs;
          return read(*r);
        });
      };
    });
    return *r;
  }
  void filters(Reading& r) {
    addTimes(*command_, r.options.since, r.options.until);
    addFilters(*command_, r.options.query, true);
  }
  void events(Reading& r) {
    command_->add_flag("--events", r.options.events,
                       "events (starts, reloads, failed handshakes) instead of decisions");
  }
  void status(Reading& r) { command_->add_option("--status", r.options.status, "status of the answer: 403, 4xx, 5xx"); }
  void limit(Reading& r, const char* help, int64_t most) {
    r.options.query.limit = most;
    command_->add_option("--limit", r.options.query.limit, help)
        ->check(CLI::Range(int64_t{1}, int64_t{10'000'000}))
        ->capture_default_str();
  }
  CLI::App& command() { return *command_; }

 private:
  CLI::App& log_;
  Action& action_;
  CLI::App* command_ = nullptr;  // the one added last
};

int query(Reading& r) {
  const audit::Query& q = r.options.query;
  if (r.options.events &&
      !(q.effect + q.principal + q.method + q.path + q.policy + q.rule + q.id + q.host + q.source + r.options.status)
           .empty())
    return failed(Error{"--events can be filtered only by --since and --until"});
  return logQuery(r.options);
}

void addCoverage(CLI::App& log, Action& action) {
  struct Coverage {
    LogSource source;
    CoverageOptions options;
  };
  const auto c = std::make_shared<Coverage>();
  auto* coverage = log.add_subcommand("coverage", "which rules and lines production used, compared with the tests");
  addLogSource(*coverage, c->source);
  addFormat(*coverage, c->options.format, {"text", "json"});
  coverage->add_option("--policy", c->options.directory, "policy directory")->required();
  addTimes(*coverage, c->options.since, c->options.until);
  addFilters(*coverage, c->options.query, false);
  coverage->callback([c, &action] {
    action = [c] {
      return withLogs(c->source, c->options.query, [&] {
        c->options.logs = c->source.logs;
        return logCoverage(c->options);
      });
    };
  });
}

void addErase(CLI::App& log, Action& action) {
  struct Erase {
    LogSource source;
    EraseOptions options;
  };
  const auto e = std::make_shared<Erase>();
  auto* erase = log.add_subcommand("erase", "erase the personal fields of decisions; the chain still verifies");
  addLogSource(*erase, e->source);
  addTimes(*erase, e->options.since, e->options.until);
  addFilters(*erase, e->options.query, false);
  erase->add_option("--reason", e->options.why, "reason, recorded in the event in the chain");
  erase->add_flag("--yes", e->options.yes, "erase; without it, only count");
  erase->callback([e, &action] {
    action = [e] {
      const bool named = !e->source.named.empty();
      return withLogs(e->source, e->options.query, [&] {
        if (named && e->source.logs.size() > 1) return failed(Error{"log erase takes only one --log at a time"});
        e->options.database = e->source.logs.back().path;
        e->options.config = named ? "" : e->source.config;
        return logErase(e->options);
      });
    };
  });
}

void addVerify(CLI::App& log, Action& action, const std::vector<std::string>& formats) {
  struct Verify {
    LogSource source;
    VerifyOptions options;
    std::string format;
  };
  const auto v = std::make_shared<Verify>();
  auto* verify = log.add_subcommand("verify", "prove that nothing was changed, removed or inserted");
  addLogSource(*verify, v->source);
  addFormat(*verify, v->format, formats);
  verify->add_option("--key", v->options.key, "the required signing key; handovers from it count (PEM)");
  verify->add_option("--checkpoint", v->options.checkpoint,
                     "SEQ:HASH of a checkpoint saved elsewhere: detects a truncated log");
  verify
      ->add_option("--from-sink", v->options.lines,
                   "instead of a log: line files that a sink with `proof` wrote, oldest first")
      ->excludes("--log");
  verify->callback([v, &action] {
    action = [v] {
      if (!v->options.lines.empty()) return logVerify({}, v->options, v->format);
      audit::Query none;
      if (v->source.named.empty()) v->options.config = v->source.config;
      return withLogs(v->source, none, [&] { return logVerify(v->source.logs, v->options, v->format); });
    };
  });
}

void addVerifyExport(CLI::App& log, Action& action) {
  struct Export {
    std::string file, key;
  };
  const auto e = std::make_shared<Export>();
  auto* verify = log.add_subcommand("verify-export", "verify that a database from `export --to` is unchanged");
  verify->add_option("file", e->file, "the database")->required();
  verify->add_option("--key", e->key, "the required signing key (PEM)");
  verify->callback([e, &action] { action = [e] { return logVerifyExport(e->file, e->key); }; });
}

void addReport(CLI::App& log, Action& action) {
  struct Report {
    LogSource source;
    LogOptions options;
    VerifyOptions verify;
    std::string file;
  };
  const auto r = std::make_shared<Report>();
  auto* report = log.add_subcommand("report", "one HTML file for an auditor: chain, denials, callers, changes, gaps");
  addLogSource(*report, r->source);
  addTimes(*report, r->options.since, r->options.until);
  report->add_option("--key", r->verify.key, "the required signing key; handovers from it count (PEM)");
  report->add_option("--out", r->file, "new file to write; without it, stdout");
  report->callback([r, &action] {
    action = [r] {
      if (r->source.named.empty()) r->verify.config = r->source.config;
      return withLogs(r->source, r->options.query, [&] {
        r->options.databases = r->source.logs;
        return logReport(r->options, r->verify, r->file);
      });
    };
  });
}

void addSql(CLI::App& log, Action& action) {
  struct Sql {
    LogSource source;
    SqlOptions options;
  };
  const auto s = std::make_shared<Sql>();
  auto* sql = log.add_subcommand("sql", "run your own SELECT over decisions, outcomes, events, heartbeats, policies");
  addLogSource(*sql, s->source);
  addFormat(*sql, s->options.format, {"table", "json", "csv"});
  sql->add_option("statement", s->options.statement, "SELECT statement in SQLite syntax")->required();
  sql->add_option("--seconds", s->options.seconds, "time limit in seconds")
      ->check(CLI::Range(int64_t{1}, int64_t{86'400}))
      ->capture_default_str();
  sql->callback([s, &action] {
    action = [s] {
      audit::Query none;
      return withLogs(s->source, none, [&] {
        if (s->source.logs.size() > 1) return failed(Error{"log sql reads one file of the log: name it with --log"});
        s->options.database = s->source.logs.back().path;
        return logSql(s->options);
      });
    };
  });
}

}  // namespace

void addLog(CLI::App& app, Action& action) {
  auto* log = app.add_subcommand("log", "read the audit log");
  log->require_subcommand(1);
  LogCommands commands(*log, action);
  const std::vector<std::string> rows = {"table", "json", "csv"};
  const std::vector<std::string> words = {"text", "json"};

  Reading& q = commands.add("query", "decisions, newest last", rows, query);
  commands.filters(q);
  commands.status(q);
  commands.events(q);
  commands.limit(q, "at most this many", 100);

  Reading& tail = commands.add("tail", "decisions as they are made, until interrupted", rows,
                               [](Reading& r) { return logTail(r.options); });
  commands.filters(tail);
  commands.events(tail);

  Reading& exported = commands.add("export", "all decisions, oldest first", {"json", "csv"}, [](Reading& r) {
    if (r.file.empty()) return logExport(r.options);
    return logExportTo(r.options, r.file, r.key);
  });
  commands.filters(exported);
  commands.status(exported);
  commands.events(exported);
  commands.command().add_option("--to", exported.file, "a new SQLite database of ordinary tables, with a manifest");
  commands.command().add_option("--key", exported.key, "the key that signs the manifest (PEM)");

  Reading& stats = commands.add("stats", "counts by principal, rule and denial, or by your own columns", rows,
                                [](Reading& r) { return logStats(r.options); });
  commands.filters(stats);
  commands.command()
      .add_option("--by", stats.options.by, "columns to group by: principal, rule, path, ...")
      ->delimiter(',');
  commands.limit(stats, "at most this many groups", 10);

  Reading& show = commands.add("show", "the whole story of one decision", words,
                               [](Reading& r) { return logShow(r.options.databases, r.id, r.options.format); });
  commands.command().add_option("id", show.id, "decision id, or how it begins")->required();

  addVerify(*log, action, words);
  addVerifyExport(*log, action);
  addCoverage(*log, action);
  addErase(*log, action);
  addReport(*log, action);
  addSql(*log, action);
}

}  // namespace yett::cli
