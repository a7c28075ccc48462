// `yett log report`: what an auditor needs to know, as one HTML file that needs no network and can be printed.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include "audit/reader.h"
#include "audit/verifier.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/line_diff.h"
#include "cli/log.h"
#include "cli/log_print.h"
#include "policy/secret_names.h"

namespace yett::cli {
namespace {

constexpr int64_t kMaxGroups = 25;
constexpr int64_t kMaxEvents = 100'000;
constexpr size_t kMaxRows = 500;

constexpr const char* kStyle =
    "body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em;color:#1a1a1a}"
    "h1{font-size:1.6em;margin-bottom:.2em}h2{font-size:1.15em;margin-top:2em;border-bottom:1px solid #bbb}"
    "table{border-collapse:collapse;width:100%;margin:.6em 0}th,td{text-align:left;padding:.2em .6em;"
    "border-bottom:1px solid #e2e2e2;vertical-align:top;overflow-wrap:anywhere}th{font-weight:600}"
    "td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    ".ok{color:#0a6b2d}.bad{color:#b00020}.state{font-size:1.15em;font-weight:600}"
    "pre{font:12px/1.4 ui-monospace,monospace;background:#f7f7f7;padding:.6em;white-space:pre-wrap;"
    "overflow-wrap:anywhere}ins{background:#dcf5e1;text-decoration:none}del{background:#fbdfe0;text-decoration:none}"
    ".quiet{color:#666}@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}"
    "tr,pre{break-inside:avoid}}";

// "principal" -> "Principal".
std::string titled(std::string name) {
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

class Report {
 public:
  Report(LogOptions options, VerifyOptions verify) : options_(std::move(options)), verify_(std::move(verify)) {}

  // False: the chain is broken.
  Result<bool> write() {
    const auto expected = TRY(expectedOf(verify_));
    const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    const auto v = TRY(audit::verify(options_.databases, expected, threads, [](int64_t) {}));
    TRY(readEvents());
    out_ = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Audit report</title><style>" +
           std::string(kStyle) + "</style></head><body><h1>Audit report</h1>";
    TRY(head(v));
    chain(v);
    TRY(counts("Denials", {"principal", "method", "path", "policy", "rule"}, "deny"));
    TRY(counts("Callers", {"principal"}, ""));
    TRY(counts("Rules", {"effect", "policy", "rule"}, ""));
    TRY(policies());
    events("Gaps and other notable events of the log",
           {"gap", "unsigned tail", "log missing", "signing begins", "key changed", "clock set", "hold", "hold ended",
            "sink refused"});
    events("Erasures and deletions", {"erased", "retention", "rotated"});
    events("Starts, stops and refused reloads", {"start", "stop", "reload refused", "reload incomplete"});
    out_ += "</body></html>\n";
    return v.broken.empty();
  }
  const std::string& text() const { return out_; }

 private:
  Status readEvents() {
    audit::Query query = options_.query;
    query.newest = true;
    query.limit = kMaxEvents;
    for (const auto& file : options_.databases) {
      auto reader = TRY(openListed(file));
      if (!reader) continue;
      auto rows = TRY(reader->events(query));
      events_.insert(events_.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
    }
    return {};
  }

  Status head(const audit::Verification& v) {
    const auto total = TRY(groupsOf(options_, {}, 1));
    const auto& q = options_.query;
    line("Period", (q.since ? base::formatTime(*q.since) : std::string("the beginning of the log")) + " to " +
                       (q.until ? base::formatTime(*q.until) : std::string("its end")));
    if (!v.writer.empty()) line("Written by", v.writer);
    line("Report made", base::formatTime(base::wallMicros()) + " by `yett log report`");
    if (total.empty()) return out_ += "<p>No decision was made in this period.</p>", Status();
    const auto& all = total.front();
    line("Decisions", std::to_string(all.count) + ", from " + base::formatTime(all.first) + " to " +
                          base::formatTime(all.last) + ": " + std::to_string(all.count - all.denied) + " allowed, " +
                          std::to_string(all.denied) + " denied, " + std::to_string(all.errors) + " with errors");
    return {};
  }
  void line(const char* name, const std::string& value) {
    out_ += std::string("<div><b>") + name + ":</b> " + base::markup(value) + "</div>";
  }

  // Covers the whole log: a period cannot be verified on its own.
  void chain(const audit::Verification& v) {
    out_ += "<h2>The chain</h2><p class=\"state ";
    if (!v.broken.empty()) out_ += "bad\">BROKEN: " + base::markup(v.broken) + "</p>";
    else if (v.authenticated) out_ += "ok\">Intact, and signed by the required key.</p>";
    else out_ += "\">Intact. Not authenticated: name the required key with --key or in the configuration.</p>";
    out_ += "<table>";
    const auto row = [&](const char* name, const std::string& value) {
      out_ += std::string("<tr><th>") + name + "</th><td>" + base::markup(value) + "</td></tr>";
    };
    row("Records",
        std::to_string(v.records) + ", " + std::to_string(v.first_seq) + " to " + std::to_string(v.last_seq));
    row("Head", v.head);
    row("Checkpoints", std::to_string(v.checkpoints) +
                           (v.checkpoints == 0 ? "" : ", the last is record " + std::to_string(v.signed_seq)));
    if (!v.keys.empty()) row("Keys", base::joined(v.keys, ", "));
    row("Gaps", std::to_string(v.gaps));
    row("Erased", std::to_string(v.erased) + " records have lost their personal fields, each recorded by an event");
    if (v.deleted_through > 0) row("Deleted by retention", "up to record " + std::to_string(v.deleted_through));
    if (v.not_closed) row("End", "the file was not closed; if it is a copy, later records may be missing");
    if (!v.continues.empty()) row("Continues from", v.continues);
    out_ += "</table>";
  }

  Status counts(const char* title, const std::vector<std::string>& by, const std::string& effect) {
    LogOptions part = options_;
    if (!effect.empty()) part.query.effect = effect;
    const auto found = TRY(groupsOf(part, by, kMaxGroups + 1));
    out_ += std::string("<h2>") + title + "</h2>";
    if (found.empty()) return out_ += "<p class=\"quiet\">None.</p>", Status();
    out_ += "<table><tr><th class=n>Decisions</th><th class=n>Denied</th><th class=n>Errors</th>";
    for (const auto& name : by) out_ += "<th>" + titled(name) + "</th>";
    out_ += "<th>Last</th></tr>";
    for (size_t i = 0; i < std::min<size_t>(found.size(), kMaxGroups); ++i) {
      const auto& group = found[i];
      for (const int64_t n : {group.count, group.denied, group.errors})
        out_ += std::string(out_.ends_with("</tr>") ? "<tr>" : "") + "<td class=n>" + std::to_string(n) + "</td>";
      for (size_t k = 0; k < by.size(); ++k)
        out_ += "<td>" +
                base::markup(by[k] == "principal" && group.key[k].empty() ? "anonymous"
                             : group.key[k].empty()                       ? "-"
                                                                          : group.key[k]) +
                "</td>";
      out_ += "<td>" + base::formatTime(group.last).substr(0, 19) + "Z</td></tr>";
    }
    out_ += "</table>";
    if (found.size() > kMaxGroups)
      out_ += "<p class=\"quiet\">The " + std::to_string(kMaxGroups) + " most frequent are shown.</p>";
    return {};
  }

  void events(const char* title, const std::set<std::string>& names) {
    out_ += std::string("<h2>") + title + "</h2>";
    std::vector<const audit::EventRow*> found;
    for (const auto& event : events_) {
      if (names.contains(event.what)) found.push_back(&event);
    }
    if (found.empty()) {
      out_ += "<p class=\"quiet\">None.</p>";
      return;
    }
    out_ +=
        "<table><tr><th class=n>Record</th><th>Time</th><th>Event</th><th>About</th><th>Detail</th><th "
        "class=n>Count</th></tr>";
    for (size_t i = found.size() - std::min(found.size(), kMaxRows); i < found.size(); ++i) {
      const auto& e = *found[i];
      out_ += "<tr><td class=n>" + std::to_string(e.seq) + "</td><td>" + base::formatTime(e.time).substr(0, 19) +
              "Z</td><td>" + base::markup(e.what) + "</td><td>" + base::markup(e.subject) + "</td><td>" +
              base::markup(e.detail) + "</td><td class=n>" + std::to_string(e.count) + "</td></tr>";
    }
    out_ += "</table>";
    if (found.size() > kMaxRows)
      out_ += "<p class=\"quiet\">The last " + std::to_string(kMaxRows) + " of " + std::to_string(found.size()) +
              " are shown.</p>";
  }

  using Files = std::map<std::string, std::string>;

  // Engine and file -> text; nothing if the log does not keep them.
  std::optional<Files> filesOf(const std::string& digest) {
    for (const auto& file : options_.databases) {
      auto reader = audit::Reader::open(file);
      if (!reader) continue;
      const auto document = reader.value().policySource(digest);
      if (!document || document.value().empty()) continue;
      const auto parsed = json::parse(document.value(), false);
      const auto* engines = parsed ? parsed.value().find("engines") : nullptr;
      if (engines == nullptr) return std::nullopt;
      Files out;
      for (const auto& engine : engines->items) {
        const auto* name = engine.find("name");
        const auto* files = engine.find("files");
        const auto* hex = engine.find("hex_files");
        const std::string prefix = (name != nullptr ? name->text : std::string()) + "/";
        if (files != nullptr) {
          for (const auto& [path, text] : files->fields) out[prefix + path] = text.text;
        }
        if (hex == nullptr) continue;
        for (const auto& [path, text] : hex->fields) {
          auto of_name = base::unhex(path);
          auto bytes = base::unhex(text.text);
          if (of_name && bytes) out[prefix + of_name.value()] = std::move(bytes).value();
        }
      }
      return out;
    }
    return std::nullopt;
  }

  // The policy that a start or a reload put in force; "": unchanged. `policy` events say only which sources the log
  // keeps: shadow policies have them too, and so does each file that continues another.
  static std::string inForce(const audit::EventRow& event) {
    const bool start = event.what == "start";
    if (!start && event.what != "reload accepted") return {};
    for (const auto part : base::split(event.detail, ';')) {
      const auto words = base::split(base::trimmed(part), ' ');
      if (words.size() == (start ? 2 : 4) && words[0] == "policy") return std::string(words.back());
    }
    return {};
  }

  // Each policy that came into force, and how it differs from the one before.
  Status policies() {
    out_ += "<h2>Changes of policy</h2>";
    std::string before;
    size_t changes = 0;
    for (const auto& event : events_) {
      const std::string policy = inForce(event);
      if (policy.empty() || policy == before) continue;
      out_ += "<p><b>" + base::formatTime(event.time).substr(0, 19) + "Z</b>, record " + std::to_string(event.seq) +
              ": policy " + base::markup(policy.substr(0, 12)) +
              (before.empty() ? ", the first of the period" : ", after " + base::markup(before.substr(0, 12))) + "</p>";
      if (!before.empty()) difference(before, policy);
      before = policy;
      ++changes;
    }
    if (changes == 0) out_ += "<p class=\"quiet\">None.</p>";
    return {};
  }

  void difference(const std::string& before, const std::string& after) {
    const auto old = filesOf(before);
    const auto now = filesOf(after);
    if (!old || !now) {
      out_ += "<p class=\"bad\">The log no longer keeps both sources: the changes are unknown.</p>";
      return;
    }
    Files all = *old;
    all.insert(now->begin(), now->end());
    for (const auto& [name, ignored] : all) {
      const auto a = old->find(name);
      const auto b = now->find(name);
      const std::string none;
      const std::string& from = a == old->end() ? none : a->second;
      const std::string& to = b == now->end() ? none : b->second;
      if (a != old->end() && b != now->end() && from == to) continue;
      out_ += "<pre>" + base::markup(name) + (a == old->end() ? " (new)" : b == now->end() ? " (removed)" : "") + "\n";
      for (const auto& line : diffLines(from, to)) {
        const std::string text = base::markup(std::string(1, line.sign) + " " + policy::withoutCredentials(line.text));
        out_ += line.sign == '+'   ? "<ins>" + text + "</ins>\n"
                : line.sign == '-' ? "<del>" + text + "</del>\n"
                                   : text + "\n";
      }
      out_ += "</pre>";
    }
  }

  LogOptions options_;
  VerifyOptions verify_;
  std::vector<audit::EventRow> events_;  // of the period, oldest first
  std::string out_;
};

// Never overwrites an existing file.
Status writeFile(const std::string& name, const std::string& text) {
  const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Error{name + ": cannot be created: " + std::strerror(errno)};
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t wrote = ::write(fd, left.data(), left.size());
    if (wrote <= 0) break;
    left.remove_prefix(static_cast<size_t>(wrote));
  }
  const int why = errno;
  ::close(fd);
  return left.empty() ? Status() : Error{name + ": cannot be written: " + std::strerror(why)};
}

}  // namespace

int logReport(LogOptions options, const VerifyOptions& verify, const std::string& file) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  Report report(std::move(options), verify);
  const auto whole = report.write();
  if (!whole) return failed(whole.error());
  if (file.empty()) std::cout << report.text();
  else if (auto written = writeFile(file, report.text()); !written) return failed(written.error());
  if (!whole.value()) std::cerr << "yett: the chain is BROKEN: the report says where\n";
  return whole.value() ? 0 : 1;
}

}  // namespace yett::cli
