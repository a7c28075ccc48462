#include "cli/test_report.h"

#include <algorithm>
#include <cstdio>

#include "base/json.h"
#include "base/text.h"
#include "cli/check_report.h"
#include "cli/traces.h"

namespace yett::cli {
namespace {

std::string millis(int64_t nanos) {
  char out[32];
  std::snprintf(out, sizeof out, "%.2f ms", static_cast<double>(nanos) / 1e6);
  return out;
}

std::string seconds(int64_t nanos) {
  char out[32];
  std::snprintf(out, sizeof out, "%.6f", static_cast<double>(nanos) / 1e9);
  return out;
}

std::string list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    json::appendQuoted(out, item);
  }
  return out + "]";
}

std::string share(const char* what, size_t part, size_t whole) {
  return std::string(what) + " " + std::to_string(part) + " of " + std::to_string(whole);
}

}  // namespace

int Coverage::percent() const {
  const auto of = [](size_t part, size_t whole) { return whole == 0 ? size_t{100} : part * 100 / whole; };
  return static_cast<int>(std::min(of(rules_met, rules), of(lines_run, lines)));
}

size_t TestReport::failed() const {
  return static_cast<size_t>(std::count_if(tests.begin(), tests.end(), [](const auto& t) { return !t.passed; }));
}

namespace {

// Line by line, since markup() escapes line breaks.
std::string markedUp(const std::string& lines) {
  std::string out;
  for (const auto line : base::split(lines, '\n')) out += base::markup(line) + "\n";
  return out;
}

// From where the reader is.
std::string shownFile(const TestResult& test) {
  return test.folder.empty() ? test.file : fromHere(test.folder + (test.folder.ends_with('/') ? "" : "/") + test.file);
}

// What became of a rule, one line for each thing.
std::vector<std::string> linesOf(const policy::RuleTrace& t) {
  std::vector<std::string> out;
  std::string head = t.effect + " \"" + t.rule + "\" (" + t.position + ")";
  if (t.applies) head += " applies";
  else if (!t.failed.empty()) head += ": `" + t.failed + "` does not match";
  else if (t.evaluated) head += ": its condition returned " + t.result;
  out.push_back(head);
  if (!t.wanted.empty()) {
    out.push_back("  wants " + t.wanted);
    out.push_back("  got   " + t.got);
  }
  if (t.evaluated) {
    for (const auto& read : t.reads) out.push_back("  read  " + read);
    if (!t.decided_at.empty()) out.push_back("  at    " + t.decided_at);
  }
  for (const auto& header : t.sets) out.push_back("  sets  " + header);
  return out;
}

std::string explained(const TestResult& test, bool explain, const std::string& indent) {
  std::string out;
  const auto add = [&](const policy::RuleTrace& trace, const std::string& before) {
    bool first = true;
    for (const auto& line : linesOf(trace)) {
      out += indent + (first ? before : std::string(before.size(), ' ')) + base::forTerminal(line) + "\n";
      first = false;
    }
  };
  if (explain) {
    for (const auto& trace : test.traces) add(trace, "");
  } else if (test.nearest >= 0) {
    add(test.traces[static_cast<size_t>(test.nearest)], "nearest: ");
  }
  return out;
}

}  // namespace

std::string asText(const TestReport& report, bool colour, bool explain) {
  const std::string red = colour ? "\x1b[31m" : "", green = colour ? "\x1b[32m" : "", off = colour ? "\x1b[0m" : "";
  std::string out;
  std::string file;
  for (const auto& test : report.tests) {
    const std::string shown = shownFile(test);
    if (shown != file) out += base::forTerminal(file = shown) + "\n";
    out += test.passed ? "  " + green + "ok  " + off : "  " + red + "FAIL" + off;
    out += "  " + base::forTerminal(test.name) + " (" + millis(test.nanos) + ")\n";
    if (test.passed) {
      if (explain) out += explained(test, true, "        ");
      continue;
    }
    out += "        " + base::forTerminal(shown + ":" + std::to_string(test.line) + ": " + test.failure) + "\n";
    out += explained(test, explain, "        ");
  }
  if (report.with_coverage) {
    const Coverage& c = report.coverage;
    out += "coverage: " + share("rules", c.rules_met, c.rules) + ", " +
           share("lines of conditions", c.lines_run, c.lines) + "\n";
    for (const auto& rule : c.rules_missed) out += "  never decided: " + base::forTerminal(rule) + "\n";
    for (const auto& line : c.lines_missed) out += "  never ran: " + base::forTerminal(line) + "\n";
  }
  const size_t failed = report.failed();
  out += std::to_string(report.tests.size() - failed) + " passed, " + std::to_string(failed) + " failed in " +
         millis(report.nanos) + "\n";
  return out;
}

std::string asJson(const TestReport& report) {
  std::string tests = "[";
  for (const auto& test : report.tests) {
    if (tests.size() > 1) tests += ',';
    json::ObjectWriter w(tests);
    w.field("name", test.name).field("file", test.file).field("line", test.line).flag("passed", test.passed);
    w.field("nanoseconds", test.nanos);
    if (!test.passed) w.field("failure", test.failure);
    if (test.nearest >= 0) w.raw("nearest", traceJson(test.traces[static_cast<size_t>(test.nearest)]));
    w.end();
  }
  std::string out;
  json::ObjectWriter w(out);
  w.field("directory", report.directory);
  w.field("passed", static_cast<int64_t>(report.tests.size() - report.failed()));
  w.field("failed", static_cast<int64_t>(report.failed()));
  w.field("nanoseconds", report.nanos);
  w.raw("tests", tests + "]");
  if (report.with_coverage) {
    std::string coverage;
    const Coverage& c = report.coverage;
    json::ObjectWriter(coverage)
        .field("percent", c.percent())
        .field("rules", static_cast<int64_t>(c.rules))
        .field("rules_met", static_cast<int64_t>(c.rules_met))
        .field("lines", static_cast<int64_t>(c.lines))
        .field("lines_run", static_cast<int64_t>(c.lines_run))
        .raw("rules_missed", list(c.rules_missed))
        .raw("lines_missed", list(c.lines_missed))
        .end();
    w.raw("coverage", coverage);
  }
  w.end();
  return out + "\n";
}

std::string asJunit(const TestReport& report) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"" +
                    base::markup(report.directory) + "\" tests=\"" + std::to_string(report.tests.size()) +
                    "\" failures=\"" + std::to_string(report.failed()) + "\" errors=\"0\" time=\"" +
                    seconds(report.nanos) + "\">\n";
  for (const auto& test : report.tests) {
    out += "  <testcase classname=\"" + base::markup(test.file) + "\" name=\"" + base::markup(test.name) +
           "\" time=\"" + seconds(test.nanos) + "\"";
    if (test.passed) out += "/>\n";
    else
      out += "><failure message=\"" + base::markup(test.failure) + "\">" + base::markup(test.file) + ":" +
             std::to_string(test.line) + "\n" + markedUp(explained(test, false, "")) + "</failure></testcase>\n";
  }
  return out + "</testsuite>\n</testsuites>\n";
}

}  // namespace yett::cli
