#include "cli/traces.h"

#include <iostream>
#include <map>

#include "base/json.h"
#include "base/text.h"

namespace yett::cli {
namespace {

constexpr size_t kMaxShown = 40;

void print(const policy::RuleTrace& t, std::string_view indent) {
  if (!t.undecided.empty()) {
    std::cout << indent << "undecided " << t.effect << " " << base::printable(t.policy) << "/"
              << base::printable(t.rule) << " (" << base::forTerminal(t.position) << "): it reads "
              << base::printable(t.undecided) << ", which the log does not have\n";
    return;
  }
  std::cout << indent << (t.applies ? "applies   " : "no        ") << t.effect << " " << base::printable(t.policy)
            << "/" << base::printable(t.rule) << " (" << base::forTerminal(t.position) << ")";
  if (!t.failed.empty()) std::cout << ": `" << base::forTerminal(t.failed) << "` does not match";
  std::cout << "\n";
  if (!t.wanted.empty())
    std::cout << indent << "            wants " << base::forTerminal(t.wanted) << "\n"
              << indent << "            got   " << base::forTerminal(t.got) << "\n";
  for (const auto& header : t.sets) std::cout << indent << "            sets " << base::printable(header) << "\n";
  if (!t.evaluated) return;
  for (const auto& read : t.reads) std::cout << indent << "            read " << base::printable(read) << "\n";
  std::cout << indent << "            returned " << base::printable(t.result);
  if (!t.reason.empty()) std::cout << ", \"" << base::printable(t.reason) << "\"";
  if (!t.decided_at.empty()) std::cout << " at " << base::forTerminal(t.decided_at);
  std::cout << "\n";
}

}  // namespace

void printTraces(const std::vector<policy::RuleTrace>& traces, std::string_view indent) {
  const bool all = traces.size() <= kMaxShown;
  std::map<std::string, size_t> others;
  for (const auto& trace : traces) {
    if (all || trace.applies || trace.evaluated || !trace.undecided.empty()) print(trace, indent);
    else ++others[trace.failed];
  }
  for (const auto& [failed, count] : others)
    std::cout << indent << count << " others: `" << failed << "` does not match\n";
}

static std::string listJson(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const auto& text : list) {
    if (out.size() > 1) out += ',';
    json::appendQuoted(out, text);
  }
  return out + "]";
}

std::string traceJson(const policy::RuleTrace& t) {
  std::string out;
  json::ObjectWriter w(out);
  w.field("policy", t.policy).field("rule", t.rule).field("effect", t.effect).field("position", t.position);
  if (!t.undecided.empty()) {
    w.raw("applies", "null").field("undecided", t.undecided).end();
    return out;
  }
  w.flag("applies", t.applies);
  if (!t.failed.empty()) w.field("failed", t.failed);
  if (!t.wanted.empty()) w.field("wanted", t.wanted).field("got", t.got);
  if (t.evaluated) {
    w.field("result", t.result).field("reason", t.reason).field("decided_at", t.decided_at);
    w.raw("reads", listJson(t.reads));
  }
  if (!t.sets.empty()) w.raw("sets", listJson(t.sets));
  w.end();
  return out;
}

}  // namespace yett::cli
