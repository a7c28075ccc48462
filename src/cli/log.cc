#include "cli/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iostream>
#include <thread>

#include "audit/checkpoint.h"
#include "audit/verifier.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

namespace yett::cli {
namespace {

int failed(const Error& error) {
  std::cerr << "yett: " << error.message << "\n";
  return 2;
}

std::string asJson(const audit::Row& row) {
  std::string out;
  json::ObjectWriter w(out);
  w.field("seq", row.seq)
      .field("id", row.id)
      .field("time", base::formatTime(row.time))
      .field("listener", row.listener)
      .field("route", row.route);
  w.field("principal", row.principal)
      .field("method", row.method)
      .field("host", row.host)
      .field("path", row.path)
      .field("raw_target", row.raw_target);
  w.field("effect", row.effect)
      .field("policy", row.policy)
      .field("rule", row.rule)
      .field("reason", row.reason)
      .field("errors", row.errors);
  w.field("engine", row.engine)
      .field("policy_digest", row.policy_digest)
      .flag("cached", row.cached)
      .field("eval_ns", row.eval_ns);
  w.raw("reads", row.reads.empty() ? "{}" : row.reads);
  if (!row.would_deny.empty()) w.field("would_deny", row.would_deny);
  if (row.ended) {
    std::string outcome;
    json::ObjectWriter(outcome)
        .field("status", row.status)
        .field("upstream", row.upstream)
        .field("bytes_in", row.bytes_in)
        .field("bytes_out", row.bytes_out)
        .field("duration_us", row.duration_us)
        .field("result", row.result)
        .end();
    w.raw("outcome", outcome);
  }
  w.end();
  return out + "\n";
}

std::string asJson(const audit::EventRow& row) {
  std::string out;
  json::ObjectWriter(out)
      .field("seq", row.seq)
      .field("time", base::formatTime(row.time))
      .field("event", row.what)
      .field("subject", row.subject)
      .field("detail", row.detail)
      .field("count", row.count)
      .end();
  return out + "\n";
}

using Line = std::array<std::string, 7>;

Line asLine(const audit::Row& row) {
  const std::string who = row.principal.empty() ? "anonymous" : base::printable(row.principal);
  const std::string rule = row.policy.empty() ? row.rule : row.policy + ": " + row.rule;
  std::string why = row.reason;
  if (!row.errors.empty()) why += (why.empty() ? "" : "; ") + row.errors;
  return {base::formatTime(row.time).substr(0, 23) + "Z",
          row.effect == "allow" ? "ALLOW" : "DENY",
          row.ended ? std::to_string(row.status) : "-",
          who,
          base::printable(row.method + " " + row.path),
          base::printable(rule),
          base::printable(why)};
}

Line asLine(const audit::EventRow& row) {
  return {base::formatTime(row.time).substr(0, 23) + "Z",
          "EVENT",
          std::to_string(row.count),
          base::printable(row.what),
          base::printable(row.subject),
          base::printable(row.detail),
          ""};
}

void printTable(const std::vector<Line>& lines, const Line& header, bool with_header) {
  static constexpr std::array<size_t, 7> kMostWidths = {24, 6, 6, 60, 48, 48, 200};
  std::array<size_t, 7> widths{};
  for (size_t i = 0; i < widths.size(); ++i) {
    if (with_header) widths[i] = header[i].size();
    for (const auto& line : lines) widths[i] = std::min(std::max(widths[i], line[i].size()), kMostWidths[i]);
  }
  const bool colour = ::isatty(STDOUT_FILENO) == 1;
  const auto print = [&](const Line& line) {
    std::string out;
    for (size_t i = 0; i < line.size(); ++i) {
      std::string cell = line[i];
      if (i + 1 < line.size()) cell.resize(std::max(cell.size(), widths[i]), ' ');
      if (colour && i == 1 && line[1] == "DENY") cell = "\033[31m" + cell + "\033[0m";
      if (colour && i == 1 && line[1] == "ALLOW") cell = "\033[32m" + cell + "\033[0m";
      out += (i > 0 ? "  " : "") + cell;
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    std::cout << out << "\n";
  };
  if (with_header && !lines.empty()) print(header);
  for (const auto& line : lines) print(line);
}

template <typename Rows>
void print(const Rows& rows, const LogOptions& options, bool with_header) {
  if (options.format == "json") {
    for (const auto& row : rows) std::cout << asJson(row);
  } else {
    std::vector<Line> lines;
    for (const auto& row : rows) lines.push_back(asLine(row));
    if (options.events) printTable(lines, {"TIME", "", "COUNT", "WHAT", "SUBJECT", "DETAIL", ""}, with_header);
    else printTable(lines, {"TIME", "EFFECT", "STATUS", "PRINCIPAL", "REQUEST", "POLICY: RULE", "REASON"}, with_header);
  }
  std::cout.flush();
}

Status resolveTimes(LogOptions& options) {
  const int64_t now = base::wallMicros();
  if (!options.since.empty()) options.query.since = TRY(parseTime(options.since, now));
  if (!options.until.empty()) options.query.until = TRY(parseTime(options.until, now));
  return {};
}

// Prints what is there and returns the highest sequence number seen.
Result<int64_t> show(audit::Reader& reader, const LogOptions& options, bool with_header) {
  int64_t last = options.query.after_seq;
  if (options.events) {
    const auto rows = TRY(reader.events(options.query));
    for (const auto& row : rows) last = std::max(last, row.seq);
    print(rows, options, with_header);
  } else {
    const auto rows = TRY(reader.decisions(options.query));
    for (const auto& row : rows) last = std::max(last, row.seq);
    print(rows, options, with_header);
  }
  return last;
}

}  // namespace

Result<int64_t> parseTime(const std::string& text, int64_t now_micros) {
  if (auto ago = base::parseDuration(text)) return now_micros - ago.value().count() * 1000;
  tm parts{};
  for (const char* form : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    parts = {};
    const char* end = ::strptime(text.c_str(), form, &parts);
    if (end != nullptr && *end == '\0') return static_cast<int64_t>(timegm(&parts)) * 1'000'000;
  }
  return Error{"`" + base::printable(text) +
               "` is not a time: write `10m` for ten minutes ago, or `2026-11-21T12:00:00Z` (UTC)"};
}

Result<std::string> databaseOf(const std::string& config_file) {
  const std::string text = TRY(base::readFile(config_file));
  auto parsed = json::parse(text, true);
  if (!parsed) return Error{config_file + ": " + parsed.error().message};
  const auto* audit = parsed.value().find("audit");
  const auto* database = audit != nullptr ? audit->find("database") : nullptr;
  if (database == nullptr || database->text.empty())
    return Error{config_file + ": has no /audit/database: name the log with --log"};
  return base::relativeTo(config_file, database->text);
}

int logQuery(LogOptions options) {
  if (auto ok = resolveTimes(options); !ok) return failed(ok.error());
  auto reader = audit::Reader::open(options.database);
  if (!reader) return failed(reader.error());
  auto shown = show(reader.value(), options, true);
  return shown ? 0 : failed(shown.error());
}

int logTail(LogOptions options) {
  if (auto ok = resolveTimes(options); !ok) return failed(ok.error());
  auto reader = audit::Reader::open(options.database);
  if (!reader) return failed(reader.error());
  options.query.limit = 10;
  for (bool first = true;; first = false) {
    auto shown = show(reader.value(), options, first);
    if (!shown) return failed(shown.error());
    options.query.after_seq = shown.value();
    options.query.limit = 1000;
    options.query.newest = first && shown.value() == 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

static Result<audit::Expected> expectedOf(const VerifyOptions& options) {
  audit::Expected out;
  if (!options.key.empty()) {
    auto key = audit::publicKeyFromPem(TRY(base::readFile(options.key)));
    if (!key) return Error{options.key + " " + key.error().message};
    out.public_key = std::move(key).value();
  }
  if (options.checkpoint.empty()) return out;
  const auto colon = options.checkpoint.find(':');
  uint64_t seq = 0;
  if (colon == std::string::npos || !base::parseUnsigned(options.checkpoint.substr(0, colon), seq) || seq == 0 ||
      options.checkpoint.size() - colon != 65)
    return Error{"--checkpoint `" + options.checkpoint +
                 "` is not SEQ:HASH, as the log's `audit checkpoint` lines have them"};
  out.checkpoint_seq = static_cast<int64_t>(seq);
  out.checkpoint_hash = base::lowered(options.checkpoint.substr(colon + 1));
  return out;
}

static void showAuthenticity(const audit::Verification& v) {
  if (v.checkpoints == 0) {
    std::cout << "consistent, not authenticated: the log has no signed checkpoints\n";
    return;
  }
  std::cout << (v.authenticated ? "authenticated" : "consistent, not authenticated") << ": " << v.checkpoints
            << (v.checkpoints == 1 ? " checkpoint" : " checkpoints") << " by key " << base::joined(v.keys, ", ")
            << ", the last is record " << v.signed_seq << "\n";
  if (!v.authenticated) std::cout << "say which key it must be: --key audit.pub\n";
  if (v.last_seq > v.signed_seq) std::cout << v.last_seq - v.signed_seq << " records after it are not signed yet\n";
}

int logVerify(const std::string& database, const VerifyOptions& options, const std::string& format) {
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const auto expected = expectedOf(options);
  if (!expected) return failed(expected.error());
  auto result = audit::verify({database}, expected.value(), std::max(1u, std::thread::hardware_concurrency()),
                              [&](int64_t links) {
                                if (terminal) std::cerr << "\r" << links << " records" << std::flush;
                              });
  if (terminal) std::cerr << "\r";
  if (!result) return failed(result.error());
  const auto& v = result.value();
  if (format == "json") {
    std::string out;
    json::ObjectWriter(out)
        .flag("ok", v.broken.empty())
        .field("records", v.links)
        .field("first_seq", v.first_seq)
        .field("last_seq", v.last_seq)
        .field("gaps", v.gaps)
        .field("head", v.head)
        .flag("authenticated", v.authenticated)
        .field("checkpoints", v.checkpoints)
        .field("signed_seq", v.signed_seq)
        .field("keys", base::joined(v.keys, " "))
        .field("broken", v.broken)
        .end();
    std::cout << out << "\n";
  } else if (!v.broken.empty()) {
    std::cout << "BROKEN: " << v.broken << "\n" << v.links << " records before it are whole\n";
  } else {
    std::cout << "ok: " << v.links << " records, " << v.first_seq << " to " << v.last_seq << ", head " << v.head
              << "\n";
    if (v.gaps > 0)
      std::cout << v.gaps << (v.gaps == 1 ? " gap" : " gaps")
                << " in the numbers: a stop that was not orderly, what was not on disk then is lost\n";
    showAuthenticity(v);
  }
  return v.broken.empty() ? 0 : 1;
}

}  // namespace yett::cli
