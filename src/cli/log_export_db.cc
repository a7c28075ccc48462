// `yett log export --to FILE.db`: plain tables for programs that cannot load the extension, with a signed manifest.
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "audit/block_source.h"
#include "audit/checkpoint.h"
#include "audit/later_outcomes.h"
#include "audit/reader.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cli/log.h"
#include "store/database.h"

namespace yett::cli {
namespace {

constexpr std::string_view kSigned{"yett audit export v1\0", 21};  // prefix of the signed manifest
constexpr const char* kSchema =
    "CREATE TABLE decisions(seq INTEGER PRIMARY KEY, id TEXT, time INTEGER, listener TEXT, route TEXT, principal TEXT, "
    "method TEXT, host TEXT, path TEXT, raw_target TEXT, effect TEXT, policy TEXT, rule TEXT, reason TEXT, errors "
    "TEXT, "
    "engine TEXT, policy_digest TEXT, cached INTEGER, eval_ns INTEGER, reads TEXT, would_deny TEXT, protocol TEXT, "
    "source TEXT, erased INTEGER);"
    "CREATE TABLE outcomes(decision_seq INTEGER PRIMARY KEY, status INTEGER, upstream TEXT, bytes_in INTEGER, "
    "bytes_out INTEGER, duration_us INTEGER, result TEXT, shadow TEXT);"
    "CREATE TABLE manifest(document TEXT, public_key BLOB, signature BLOB);";
using Type = store::Statement::Type;

constexpr const char* kTables[] = {"decisions", "outcomes"};

bool isNumber(std::string_view column) {
  constexpr std::string_view kNumbers[] = {"seq",          "time",   "cached",   "eval_ns",   "erased",
                                           "decision_seq", "status", "bytes_in", "bytes_out", "duration_us"};
  return std::find(std::begin(kNumbers), std::end(kNumbers), column) != std::end(kNumbers);
}

// SHA-256 over one line per row, ordered by the first column: the values as SQLite's quote() writes them, separated by
// commas.
Result<std::string> digestOf(store::Database& db, const std::string& table, int64_t& count) {
  base::Sha256Hasher hasher;
  auto rows = TRY(db.prepare("SELECT * FROM " + table + " ORDER BY 1"));
  std::string line;
  while (TRY(rows.step())) {
    line.clear();
    for (int i = 0; i < rows.columns(); ++i) {
      if (i > 0) line += ',';
      const bool number = isNumber(rows.name(i));
      if (rows.type(i) != (number ? Type::kInteger : Type::kText))  // would look the same, but no query would find it
        return Error{"table `" + table + "`: a value of column `" + std::string(rows.name(i)) + "` has the wrong type"};
      if (!number) line += '\'';
      for (const char c : rows.text(i)) line.append(!number && c == '\'' ? 2 : 1, c);
      if (!number) line += '\'';
    }
    hasher.update(line += '\n');
    ++count;
  }
  const auto hash = hasher.finish();
  return base::hex(base::view(hash));
}

Status addRow(store::Statement& decision, store::Statement& outcome, const audit::Row& r) {
  int at = 0;
  decision.bind(++at, r.seq);
  decision.bind(++at, r.id);
  decision.bind(++at, r.time);
  for (const std::string* text : {&r.listener, &r.route, &r.principal, &r.method, &r.host, &r.path, &r.raw_target,
                                  &r.effect, &r.policy, &r.rule, &r.reason, &r.errors, &r.engine, &r.policy_digest})
    decision.bind(++at, *text);
  decision.bind(++at, r.cached ? int64_t{1} : int64_t{0});
  decision.bind(++at, r.eval_ns);
  for (const std::string* text : {&r.reads, &r.would_deny, &r.protocol, &r.source}) decision.bind(++at, *text);
  TRY(decision.bind(++at, r.erased ? int64_t{1} : int64_t{0}).run());
  if (!r.ended) return {};
  outcome.bind(1, r.seq).bind(2, r.status).bind(3, r.upstream).bind(4, r.bytes_in).bind(5, r.bytes_out);
  return outcome.bind(6, r.duration_us).bind(7, r.result).bind(8, r.shadow).run();
}

Status copyRows(const LogOptions& options, store::Database& to) {
  auto decision = TRY(to.prepare("INSERT INTO decisions VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  auto outcome = TRY(to.prepare("INSERT INTO outcomes VALUES (?,?,?,?,?,?,?,?)"));
  TRY(to.execute("BEGIN"));
  audit::LaterOutcomes later(options.databases);
  for (size_t file = 0; file < options.databases.size(); ++file) {
    auto opened = TRY(openListed(options.databases[file]));
    if (!opened) continue;
    audit::Reader& reader = *opened;
    Status added;
    TRY(reader.each(options.query, [&](audit::Row& row) {
      added = later.complete(file, row);
      if (added) added = addRow(decision, outcome, row);
      return added.ok();
    }));
    TRY(std::move(added));
    if (const auto gone = reader.takeGone())
      return Error{"retention has deleted records " + std::to_string(gone->first) + " to " +
                   std::to_string(gone->second) + " while they were read: export again"};
  }
  return to.execute("COMMIT");
}

// Describes the tables, and the log and the head that they come from.
Result<std::string> manifestOf(const LogOptions& options, store::Database& to) {
  auto log = TRY(audit::Reader::open(options.databases.back()));
  const auto [seq, hash] = TRY(audit::BlockSource(log.database()).end());
  std::string tables;
  json::ObjectWriter each(tables);
  for (const char* table : kTables) {
    int64_t rows = 0;
    const std::string digest = TRY(digestOf(to, table, rows));
    std::string one;
    json::ObjectWriter(one).field("rows", rows).field("sha256", digest).end();
    each.raw(table, one);
  }
  each.end();
  auto range = TRY(to.prepare("SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM decisions"));
  TRY(range.step());
  std::string out;
  json::ObjectWriter(out)
      .field("format", "yett audit export v1")
      .field("log_id", base::hex(TRY(audit::metaBytes(log.database(), "log_id")).value_or("")))
      .field("first", range.integer(0))
      .field("last", range.integer(1))
      .field("head_seq", seq)
      .field("head", base::hex(hash))
      .raw("tables", tables)
      .end();
  return out;
}

Status putManifest(store::Database& to, const std::string& document, const std::string& key_file) {
  std::string public_key, signature;
  if (!key_file.empty()) {
    auto key = audit::SigningKey::fromPem(TRY(base::readFile(key_file)));
    if (!key) return Error{key_file + " " + key.error().message};
    public_key = key.value()->publicKey();
    signature = TRY(key.value()->sign(std::string(kSigned) + document));
  }
  auto row = TRY(to.prepare("INSERT INTO manifest VALUES (?,?,?)"));
  return row.bind(1, document).bindBlob(2, public_key).bindBlob(3, signature).run();
}

Status exportTo(const LogOptions& options, const std::string& file, const std::string& key) {
  struct stat info {};
  if (::stat(file.c_str(), &info) == 0) return Error{file + ": already exists: name a new file"};
  const auto write = [&]() -> Status {
    auto to = TRY(store::Database::open(file, store::Database::Mode::kWrite));
    TRY(to.execute(kSchema));
    TRY(copyRows(options, to));
    const std::string document = TRY(manifestOf(options, to));
    TRY(putManifest(to, document, key));
    TRY(to.execute("PRAGMA journal_mode=DELETE"));  // leaves a single file to hand over
    std::cout << document << "\n";
    return {};
  };
  auto done = write();
  std::remove((file + ".lock").c_str());
  if (!done) {  // leave no partial export
    for (const char* part : {"", "-wal", "-shm"}) std::remove((file + part).c_str());
    return done;
  }
  if (key.empty()) std::cerr << "yett: not signed: sign it with --key audit.key\n";
  return {};
}

// Returns "" if the tables are those that were exported, else what is wrong.
Result<std::string> check(const std::string& file, const std::string& key_file, bool& is_signed) {
  auto db = TRY(store::Database::open(file, store::Database::Mode::kRead));
  const auto none = [&] { return Error{file + ": is not a database written by `yett log export --to`"}; };
  auto prepared = db.prepare("SELECT document, public_key, signature FROM manifest");
  if (!prepared) return none();
  store::Statement row = std::move(prepared).value();
  if (!TRY(row.step())) return none();
  if (const std::string differs = TRY(db.schemaDiffers(kSchema, 0)); !differs.empty())
    return "its schema was changed: " + differs;
  if (row.type(0) != Type::kText) return std::string("table `manifest`: its document has the wrong type");
  const std::string document(row.text(0)), public_key(row.text(1)), signature(row.text(2));
  const auto said = TRY(json::parse(document, false));
  const auto* tables = said.find("tables");
  for (const char* table : kTables) {
    const auto* one = tables == nullptr ? nullptr : tables->find(table);
    const auto* digest = one == nullptr ? nullptr : one->find("sha256");
    int64_t rows = 0;
    const auto found = digestOf(db, table, rows);
    if (!found) return found.error().message;
    if (digest == nullptr || found.value() != digest->text)
      return std::string("table `") + table + "` does not match its manifest";
  }
  if (TRY(row.step())) return std::string("table `manifest` has more than one row");
  is_signed = !signature.empty();
  if (is_signed && !audit::verifySignature(public_key, std::string(kSigned) + document, signature))
    return std::string("the signature of its manifest is invalid");
  if (key_file.empty()) return std::string();
  auto expected = audit::publicKeyFromPem(TRY(base::readFile(key_file)));
  if (!expected) return Error{key_file + " " + expected.error().message};
  if (!is_signed || public_key != expected.value()) return "it is not signed by " + audit::keyId(expected.value());
  return std::string();
}

}  // namespace

int logExportTo(LogOptions options, const std::string& file, const std::string& key) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  if (options.events) return failed(Error{"--to exports decisions and their outcomes, not events"});
  const auto done = exportTo(options, file, key);
  return done ? 0 : failed(done.error());
}

int logVerifyExport(const std::string& file, const std::string& key) {
  bool is_signed = false;
  const auto wrong = check(file, key, is_signed);
  if (!wrong) return failed(wrong.error());
  if (!wrong.value().empty()) return std::cout << "BROKEN: " << base::forTerminal(wrong.value()) << "\n", 1;
  std::cout << "ok: the tables match the manifest, which is " << (is_signed ? "signed" : "not signed") << "\n";
  if (is_signed && key.empty()) std::cout << "to require a specific key: --key audit.pub\n";
  return 0;
}

}  // namespace yett::cli
