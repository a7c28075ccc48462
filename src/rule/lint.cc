#include "rule/lint.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "policy/secret_names.h"
#include "rule/lint_rule.h"
#include "target/segment_pattern.h"

namespace yett::rule {
namespace {

constexpr size_t kMaxCompared = 2000;  // rules: every pair is compared
constexpr size_t kMaxPairs = 10'000;   // of two lists
constexpr size_t kMaxShapes = 64;
constexpr size_t kMaxCredentials = 20;

// Every entry of `inner` is covered by one of `outer`; an empty list matches everything.
template <typename List, typename Covers>
bool coversList(const List& outer, const List& inner, Covers each) {
  if (outer.empty()) return true;
  if (inner.empty() || outer.size() * inner.size() > kMaxPairs) return false;
  return std::all_of(inner.begin(), inner.end(), [&](const auto& in) {
    return std::any_of(outer.begin(), outer.end(), [&](const auto& out) { return each(out, in); });
  });
}

bool everyone(const Rule& rule) {
  const auto& m = rule.wanted;
  const bool anyone = std::any_of(m.principals.begin(), m.principals.end(),
                                  [](const auto& p) { return p.kind == PrincipalMatcher::Kind::kAnyone; });
  const bool anywhere = m.paths.empty() || std::any_of(m.paths.begin(), m.paths.end(), [](const auto& p) {
                          return !p.regex && p.pattern.endsWithRest() && p.pattern.segments().empty();
                        });
  return anyone && anywhere && m.hosts.empty() && m.methods.empty() && m.sources.empty() && !rule.conditional();
}

void compare(const std::vector<Rule>& rules, size_t at, std::vector<std::pair<const Rule*, std::string>>& out) {
  const Rule& rule = rules[at];
  for (size_t i = 0; i < rules.size(); ++i) {
    const Rule& other = rules[i];
    if (i == at || other.conditional() || other.audit_only || other.kind == Rule::Kind::kDecide) continue;
    if (!covers(other, rule)) continue;
    if (other.deny() && rule.allow())
      return void(out.emplace_back(&rule, "can never allow: `" + base::printable(other.name) + "` (" +
                                              other.position() + ") denies everything it matches"));
    const bool mutual = !rule.conditional() && covers(rule, other);
    if (other.kind != rule.kind || (mutual && i > at)) continue;
    if (mutual)
      return void(out.emplace_back(
          &rule, "matches the same requests as `" + base::printable(other.name) + "` (" + other.position() + ")"));
    return void(out.emplace_back(&rule, "changes nothing: `" + base::printable(other.name) + "` (" + other.position() +
                                            ") does the same for everything it matches"));
  }
}

}  // namespace

bool covers(const Rule& outer, const Rule& inner) {
  const Matchers& a = outer.wanted;
  const Matchers& b = inner.wanted;
  if (outer.conditional()) return false;
  const bool loose = outer.deny();
  const bool fold = loose && !outer.exact_case;
  if (loose && inner.deny() && !inner.exact_case && !fold) return false;  // `inner` matches more spellings
  return coversList(a.methods, b.methods,
                    [&](const auto& x, const auto& y) { return x == y || (loose && x == "GET" && y == "HEAD"); }) &&
         coversList(a.paths, b.paths, [&](const auto& x, const auto& y) { return coversPath(x, y, loose, fold); }) &&
         coversList(a.principals, b.principals, coversCaller) && coversList(a.hosts, b.hosts, coversHost) &&
         coversList(a.sources, b.sources, [](const auto& x, const auto& y) { return x.contains(y); });
}

std::vector<std::string> lint(const RuleBook& book) {
  std::vector<std::pair<const Rule*, std::string>> found;
  const auto& rules = book.rules();
  std::map<std::pair<std::string_view, std::string>, const Rule*> names;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].allow() && everyone(rules[i])) found.emplace_back(&rules[i], "allows everyone everything");
    if (rules.size() <= kMaxCompared && !rules[i].audit_only) compare(rules, i, found);
    for (auto& what : lintRule(rules[i])) found.emplace_back(&rules[i], std::move(what));
    const auto [other, fresh] = names.try_emplace({rules[i].policy, looksLike(rules[i].name)}, &rules[i]);
    if (!fresh)
      found.emplace_back(&rules[i], "has nearly the name of `" + base::printable(other->second->name) + "` (" +
                                        other->second->position() + "): reports will be hard to read");
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first->file, a.first->line, a.second) < std::tie(b.first->file, b.first->line, b.second);
  });
  std::vector<std::string> out;
  for (const auto& [rule, what] : found)
    out.push_back(rule->position() + ": rule `" + base::printable(rule->name) + "` " + what);
  const size_t shapes = book.index().shapes();
  if (shapes > kMaxShapes)
    out.push_back("the rules have " + std::to_string(shapes) +
                  " different shapes of matchers: each adds about 20 ns to a decision; make them more alike");
  return out;
}

std::vector<std::string> credentialWarnings(const std::map<std::string, std::string>& files) {
  std::vector<std::string> out;
  for (const auto& [name, text] : files) {
    if (!name.ends_with(".lua") && !name.ends_with(".json")) continue;
    int number = 0;
    for (const auto line : base::split(text, '\n')) {
      ++number;
      if (line.size() > 4096 || policy::withoutCredentials(line) == line) continue;
      out.push_back(name + ":" + std::to_string(number) +
                    ": contains what looks like a credential: the audit log stores policy sources; let the service "
                    "check it, or compare a digest");
      if (out.size() == kMaxCredentials) return out;
    }
  }
  return out;
}

}  // namespace yett::rule
