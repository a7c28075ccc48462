#include "cli/log_print.h"

#include <algorithm>
#include <array>
#include <iostream>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/terminal.h"

namespace yett::cli {
namespace {

using Line = std::vector<std::string>;

constexpr size_t kShownId = 18;  // of a decision id: its time and enough more; --id and `log show` take it

// Makes a table fit the terminal: the widest columns give way first, none below 8.
void shrink(std::vector<size_t>& widths, size_t limit) {
  constexpr size_t kMin = 8;
  if (limit == 0 || widths.empty()) return;
  size_t sum = 2 * (widths.size() - 1);
  for (const size_t width : widths) sum += width;
  while (sum > limit) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kMin) return;
    --*widest;
    --sum;
  }
}

// Cells are cut to their column on a terminal alone: in a file or a pipe nothing is lost.
void printLines(const std::vector<Line>& lines, const std::vector<size_t>& most, size_t coloured,
                const std::vector<size_t>& right) {
  const size_t terminal = terminalWidth();
  std::vector<size_t> widths(lines.empty() ? 0 : lines.front().size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < widths.size(); ++i) {
      const size_t wide = std::max(widths[i], columnsOf(line[i]));
      widths[i] = terminal > 0 ? wide : std::min(wide, i < most.size() ? most[i] : 60);
    }
  }
  shrink(widths, terminal);
  const bool colour = useColour();
  for (const auto& line : lines) {
    std::string out;
    for (size_t i = 0; i < line.size(); ++i) {
      std::string cell = terminal > 0 ? cutTo(line[i], std::max<size_t>(widths[i], 2)) : line[i];
      const size_t columns = columnsOf(cell);
      const size_t missing = widths[i] > columns ? widths[i] - columns : 0;
      const bool to_right = std::find(right.begin(), right.end(), i) != right.end();
      if (to_right) cell.insert(0, missing, ' ');
      else if (i + 1 < line.size()) cell.append(missing, ' ');
      if (colour && i == coloured && line[i] == "DENY") cell = "\033[31m" + cell + "\033[0m";
      if (colour && i == coloured && line[i] == "ALLOW") cell = "\033[32m" + cell + "\033[0m";
      out += (i > 0 ? "  " : "") + cell;
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    std::cout << out << "\n";
  }
  std::cout.flush();
}

// Text is always quoted, so that programs that guess types (spreadsheets) read it as text. A would-be formula gets a
// leading apostrophe.
std::string csvCell(const Cell& cell) {
  if (!cell.is_text) return cell.text;
  std::string out = "\"";
  if (!cell.text.empty() && std::string_view("=+-@\t\r").find(cell.text[0]) != std::string_view::npos) out += '\'';
  // Escaped as in JSON: the result is UTF-8, without line breaks or terminal controls.
  std::string quoted;
  json::appendQuoted(quoted, cell.text);
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] != '\\') out += quoted[i];
    else if (quoted[i + 1] == '"') out += "\"\"", ++i;
    else if (quoted[i + 1] == '\\' || quoted[i + 1] == '/') out += quoted[++i];
    else out += '\\', out += quoted[++i];
  }
  return out + "\"";
}

}  // namespace

std::string shownTime(int64_t micros) {
  return base::formatTime(micros).substr(0, 23) + "Z";
}

std::string shownRule(std::string_view policy, std::string_view rule) {
  return base::forTerminal(policy.empty() ? std::string(rule) : std::string(policy) + ": " + std::string(rule));
}

std::string shownPrincipal(const std::string& principal) {
  return principal.empty() ? "anonymous" : base::forTerminal(principal);
}

std::string asJson(const audit::Row& row) {
  std::string out;
  json::ObjectWriter w(out);
  w.field("seq", row.seq).field("id", row.id).field("time", base::formatTime(row.time));
  w.field("listener", row.listener).field("route", row.route);
  if (row.erased) w.flag("erased", true);
  w.field("principal", row.principal).field("source", row.source);
  w.field("method", row.method).field("host", row.host).field("path", row.path).field("raw_target", row.raw_target);
  w.field("protocol", row.protocol);
  w.field("effect", row.effect).field("policy", row.policy).field("rule", row.rule);
  w.field("reason", row.reason).field("errors", row.errors);
  w.field("engine", row.engine).field("policy_digest", row.policy_digest);
  w.flag("cached", row.cached).field("eval_ns", row.eval_ns);
  w.rawOrText("reads", row.reads.empty() ? "{}" : row.reads);
  if (!row.would_deny.empty()) w.field("would_deny", row.would_deny);
  if (row.ended) {
    std::string outcome;
    json::ObjectWriter o(outcome);
    o.field("status", row.status).field("upstream", row.upstream);
    o.field("bytes_in", row.bytes_in).field("bytes_out", row.bytes_out);
    o.field("duration_us", row.duration_us).field("result", row.result);
    if (!row.shadow.empty()) o.field("shadow", row.shadow);
    o.end();
    w.raw("outcome", outcome);
  }
  w.end();
  return out + "\n";
}

std::string asJson(const audit::EventRow& row) {
  std::string out;
  json::ObjectWriter w(out);
  w.field("seq", row.seq)
      .field("time", base::formatTime(row.time))
      .field("event", row.what)
      .field("subject", row.subject)
      .field("detail", row.about.empty() ? row.detail : row.about)
      .field("count", row.count);
  if (!row.caller.empty()) w.field("caller", row.caller);
  if (row.erased) w.flag("erased", true);
  w.end();
  return out + "\n";
}

std::string csvLine(const std::vector<Cell>& cells) {
  std::string out;
  for (const auto& cell : cells) out += (out.empty() && &cell == &cells.front() ? "" : ",") + csvCell(cell);
  return out + "\r\n";
}

std::string csvHeader() {
  return csvLine({"seq",           "id",       "time",      "listener",    "route",      "principal",
                  "source",        "method",   "host",      "path",        "raw_target", "protocol",
                  "effect",        "policy",   "rule",      "reason",      "errors",     "engine",
                  "policy_digest", "cached",   "eval_ns",   "reads",       "would_deny", "status",
                  "upstream",      "bytes_in", "bytes_out", "duration_us", "result",     "shadow"});
}

std::string asCsv(const audit::Row& r) {
  const auto ended = [&](int64_t value) { return r.ended ? Cell(value) : Cell::none(); };
  return csvLine({Cell(r.seq),
                  r.id,
                  base::formatTime(r.time),
                  r.listener,
                  r.route,
                  r.principal,
                  r.source,
                  r.method,
                  r.host,
                  r.path,
                  r.raw_target,
                  r.protocol,
                  r.effect,
                  r.policy,
                  r.rule,
                  r.reason,
                  r.errors,
                  r.engine,
                  r.policy_digest,
                  r.cached ? "true" : "false",
                  Cell(r.eval_ns),
                  r.reads,
                  r.would_deny,
                  ended(r.status),
                  r.upstream,
                  ended(r.bytes_in),
                  ended(r.bytes_out),
                  ended(r.duration_us),
                  r.result,
                  r.shadow});
}

std::string csvEventHeader() {
  return csvLine({"seq", "time", "event", "subject", "detail", "count", "caller"});
}

std::string asCsv(const audit::EventRow& r) {
  return csvLine({Cell(r.seq), base::formatTime(r.time), r.what, r.subject, r.about.empty() ? r.detail : r.about,
                  Cell(r.count), r.caller});
}

void printTable(const std::vector<audit::Row>& rows, bool with_header) {
  std::vector<Line> lines;
  if (with_header && !rows.empty())
    lines.push_back({"TIME", "EFFECT", "STATUS", "PRINCIPAL", "REQUEST", "POLICY: RULE", "ID", "REASON"});
  for (const auto& row : rows) {
    std::string why = row.reason;
    if (!row.errors.empty()) why += (why.empty() ? "" : "; ") + row.errors;
    if (!row.would_deny.empty()) why += (why.empty() ? "" : "; ") + ("would deny: " + row.would_deny);
    if (!row.shadow.empty()) why += (why.empty() ? "" : "; ") + ("shadow: " + row.shadow);
    lines.push_back({shownTime(row.time), row.effect == "allow" ? "ALLOW" : "DENY",
                     row.ended ? std::to_string(row.status) : "-",
                     row.erased ? "(erased)" : shownPrincipal(row.principal),
                     base::forTerminal(row.method + " " + (row.erased ? "(erased)" : row.path)),
                     shownRule(row.policy, row.rule), row.id.substr(0, kShownId), base::forTerminal(why)});
  }
  printLines(lines, {24, 6, 6, 60, 48, 48, kShownId, 200}, 1, {});
}

void printTable(const std::vector<audit::EventRow>& rows, bool with_header) {
  std::vector<Line> lines;
  if (with_header && !rows.empty()) lines.push_back({"TIME", "COUNT", "WHAT", "SUBJECT", "DETAIL"});
  for (const auto& row : rows)
    lines.push_back({shownTime(row.time), std::to_string(row.count), base::forTerminal(row.what),
                     base::forTerminal(row.subject),
                     row.erased ? "(erased)" : base::forTerminal(row.about.empty() ? row.detail : row.about)});
  printLines(lines, {24, 6, 24, 64, 400}, SIZE_MAX, {1});
}

void printColumns(const std::vector<std::vector<std::string>>& lines, const std::vector<size_t>& right) {
  printLines(lines, {}, SIZE_MAX, right);
}

}  // namespace yett::cli
