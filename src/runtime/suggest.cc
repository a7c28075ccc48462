#include "runtime/suggest.h"

#include <algorithm>
#include <tuple>

#include "policy/attribute.h"
#include "policy/recorded.h"
#include "target/segment_pattern.h"

namespace yett::runtime {
namespace {

constexpr size_t kLongestName = 200;

bool isMasked(const std::string& text) {
  return text.starts_with('{');
}

// A path whose own segments would be read as a pattern, or that no rule may name.
bool readsAsPattern(const std::string& path) {
  return path.find('*') != std::string::npos || path.find('{') != std::string::npos ||
         !target::SegmentPattern::parsePath(path);
}

// Whether rules accept this method.
bool isMethod(const std::string& method) {
  return std::all_of(method.begin(), method.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; });
}

constexpr std::string_view kScheme = "spiffe://";

// "spiffe://example.org/a" as a path, and back.
std::string asPath(const std::string& id) {
  return "/" + id.substr(std::min<size_t>(id.size(), 9));
}

// "spiffe://example.org/ns/*/sa/x" if enough callers differ in one segment only; else the callers themselves.
std::set<std::string> generalCallers(const std::set<std::string>& callers) {
  std::set<std::string> paths;
  for (const auto& id : callers) {
    if (id.starts_with(kScheme)) paths.insert(asPath(id));
  }
  std::set<std::string> out;
  const auto templates = templatesOf(paths);
  for (const auto& id : callers) {
    const auto shape = id.starts_with(kScheme) ? templates.find(asPath(id)) : templates.end();
    std::string pattern = shape == templates.end() ? id : std::string(kScheme) + shape->second.substr(1);
    for (auto open = pattern.find('{'); open != std::string::npos; open = pattern.find('{'))
      pattern.replace(open, pattern.find('}') - open + 1, "*");
    // No star in a trust domain, and if there are only a few callers, list them.
    const bool domain = pattern.starts_with("spiffe://*");
    out.insert(domain || callers.size() < kAlike ? id : pattern);
  }
  return out;
}

bool matchesCaller(const std::set<std::string>& principals, const std::string& id) {
  return std::any_of(principals.begin(), principals.end(), [&](const std::string& wanted) {
    if (wanted.empty() || wanted == id) return true;  // `anyone` is everybody
    if (id.empty() || wanted.find('*') == std::string::npos) return false;
    const auto pattern = target::SegmentPattern::parseExact(asPath(wanted));
    return pattern && pattern.value().matches(asPath(id));
  });
}

bool matchesPath(const std::string& shape, const std::string& path) {
  if (shape == path) return true;
  const auto pattern = target::SegmentPattern::parsePath(shape);
  return pattern && pattern.value().matches(path);
}

std::string lastOf(std::string_view id) {
  return id.empty() ? "anyone" : std::string(id.substr(id.rfind('/') + 1));
}

void merge(SuggestedRule& to, const SuggestedRule& more) {
  if (to.count == 0) to.example = more.example;
  to.first = to.count == 0 ? more.first : std::min(to.first, more.first);
  to.last = std::max(to.last, more.last);
  to.count += more.count;
  to.hosts.insert(more.hosts.begin(), more.hosts.end());
  to.methods.insert(more.methods.begin(), more.methods.end());
  to.principals.insert(more.principals.begin(), more.principals.end());
  to.seen_principals.insert(more.seen_principals.begin(), more.seen_principals.end());
  to.seen_paths.insert(more.seen_paths.begin(), more.seen_paths.end());
}

}  // namespace

// The first provider whose token policy found, and the first whose token it did not.
static std::pair<std::string, std::string> tokensOf(const std::string& reads) {
  policy::Recorded recorded;
  std::pair<std::string, std::string> out;
  if (!policy::parseReads(reads, recorded)) return out;
  for (const auto& value : recorded.values) {
    if (value.attr != policy::Attr::kJwt) continue;
    const bool absent = value.state == policy::RecordedValue::State::kAbsent;
    const auto dot = value.key.find('.');
    const std::string provider = value.key.substr(0, dot);
    if (!absent && out.first.empty()) out.first = provider;
    if (absent && dot == std::string::npos && out.second.empty()) out.second = provider;
  }
  return out;
}

void Learner::add(const audit::Row& row) {
  // A certificate or a token decided, which no rule can change.
  if (row.policy.empty() && (row.rule == "authentication" || row.rule == "identity")) return;
  if (row.erased || isMasked(row.principal) || isMasked(row.host) || isMasked(row.path) || !row.path.starts_with('/') ||
      readsAsPattern(row.path) || !isMethod(row.method) || row.principal.size() > kLongestName) {
    ++left_out_;
    return;
  }
  auto [token, lacks] = tokensOf(row.reads);
  const Key key{row.principal, row.method, row.host, row.path, std::move(token), std::move(lacks)};
  if (row.effect != "allow") {
    ++denied_[key];
    return;
  }
  ++allowed_;
  Seen& seen = seen_[key];
  if (seen.count++ == 0) {
    seen.first = seen.last = row.time;
    seen.example = row;
  }
  seen.first = std::min(seen.first, row.time);
  seen.last = std::max(seen.last, row.time);
}

SuggestedRule Learner::ruleOf(const Key& key) const {
  const Seen& seen = seen_.at(key);
  SuggestedRule out;
  out.principals = out.seen_principals = {key.principal};
  out.methods = {key.method};
  out.hosts = {key.host};
  out.path = key.path;
  out.token = key.token;
  out.seen_paths = {key.path};
  out.count = seen.count;
  out.first = seen.first;
  out.last = seen.last;
  out.example = seen.example;
  return out;
}

// With whatever token.
bool Learner::wasAllowed(const Key& key) const {
  const auto it = seen_.lower_bound(key);
  return it != seen_.end() && std::tie(it->first.principal, it->first.method, it->first.host, it->first.path) ==
                                  std::tie(key.principal, key.method, key.host, key.path);
}

bool Learner::covers(const SuggestedRule& rule, const Key& key) const {
  if (!rule.token.empty() && rule.token == key.lacks) return false;
  return rule.methods.contains(key.method) && (rule.hosts.contains("") || rule.hosts.contains(key.host)) &&
         matchesPath(rule.path, key.path) && matchesCaller(rule.principals, key.principal);
}

int64_t Learner::deniedBy(const SuggestedRule& rule) const {
  int64_t out = 0;
  for (const auto& [key, count] : denied_) {
    if (covers(rule, key)) out += count;
  }
  return out;
}

// Adds deny rules for a few requests that were always denied. False if there are too many, or if a deny would block
// what was allowed.
bool Learner::exceptions(const SuggestedRule& rule, std::map<std::string, SuggestedDeny>& denies) const {
  std::map<std::string, SuggestedDeny> found;
  for (const auto& [key, count] : denied_) {
    if (!covers(rule, key)) continue;
    SuggestedDeny& deny = found[key.path];
    deny.path = key.path;
    deny.principals.insert(key.principal);
    deny.methods.insert(key.method);
    deny.hosts.insert(key.host);
    deny.count += count;
  }
  if (found.size() > std::max<size_t>(3, rule.seen_paths.size() / 10)) return false;
  for (const auto& [path, deny] : found) {
    if (deny.principals.contains("")) return false;
    for (const auto& principal : deny.principals) {
      for (const std::string& method : deny.methods)
        for (const std::string& host : deny.hosts) {
          // A deny for GET also covers HEAD, and ignores a trailing slash.
          const bool slash = path.ends_with('/');
          for (const std::string& same : {path, slash ? path.substr(0, path.size() - 1) : path + "/"}) {
            if (wasAllowed({principal, method, host, same, "", ""})) return false;
            if (method == "GET" && wasAllowed({principal, "HEAD", host, same, "", ""})) return false;
          }
        }
    }
  }
  for (auto& [path, deny] : found) denies.emplace(path + " " + rule.path, std::move(deny));
  return true;
}

// Turns each caller's paths into templates. A caller's methods on one template share a rule, and callers with the same
// template and methods do too.
std::vector<SuggestedRule> Learner::generalize() const {
  std::map<std::string, std::set<std::string>> paths;
  for (const auto& [key, seen] : seen_) paths[key.principal].insert(key.path);
  std::map<std::tuple<std::string, std::string, std::string, std::string>, SuggestedRule> by_caller;
  std::string principal;
  std::map<std::string, std::string> templates;
  for (const auto& [key, seen] : seen_) {  // ordered by caller
    if (templates.empty() || key.principal != principal) templates = templatesOf(paths[principal = key.principal]);
    SuggestedRule rule = ruleOf(key);
    rule.path = templates.at(key.path);
    SuggestedRule& mine = by_caller[{key.principal, key.host, rule.path, rule.token}];
    merge(mine, rule);
    mine.token = rule.token;
    mine.path = rule.path;
  }
  // Callers with an identity do not share a rule with anonymous callers: such a rule would match everybody.
  using Alike = std::tuple<std::string, std::set<std::string>, std::set<std::string>, bool, std::string>;
  std::map<Alike, SuggestedRule> alike;
  for (auto& [key, rule] : by_caller) {
    SuggestedRule& mine = alike[{rule.path, rule.methods, rule.hosts, std::get<0>(key).empty(), rule.token}];
    merge(mine, rule);
    mine.token = rule.token;
    mine.path = rule.path;
  }
  std::vector<SuggestedRule> out;
  std::map<std::tuple<std::string, std::set<std::string>, std::set<std::string>, std::string>, SuggestedRule> by_host;
  for (auto& [key, rule] : alike) {  // those that differ in the host alone are one rule
    rule.principals = generalCallers(rule.seen_principals);
    SuggestedRule& mine = by_host[{rule.path, rule.methods, rule.principals, rule.token}];
    const auto principals = rule.principals;
    merge(mine, rule);
    mine.token = rule.token;
    mine.path = rule.path;
    mine.principals = principals;
  }
  for (auto& [key, rule] : by_host) out.push_back(std::move(rule));
  return out;
}

// Generalization must not allow what was denied: first lists the callers, then denies a few exceptions, else lists each
// request as it was seen.
void Learner::narrow(SuggestedRule rule, std::vector<SuggestedRule>& out,
                     std::map<std::string, SuggestedDeny>& denies) const {
  if (deniedBy(rule) == 0) return out.push_back(std::move(rule));
  if (rule.principals != rule.seen_principals) {
    rule.principals = rule.seen_principals;
    return narrow(std::move(rule), out, denies);
  }
  if (exceptions(rule, denies)) return out.push_back(std::move(rule));
  for (const auto& [key, seen] : seen_) {
    if (!rule.seen_principals.contains(key.principal) || !rule.methods.contains(key.method) ||
        !rule.seen_paths.contains(key.path) || !rule.hosts.contains(key.host) || key.token != rule.token)
      continue;
    SuggestedRule literal = ruleOf(key);
    literal.also_denied = deniedBy(literal);
    out.push_back(std::move(literal));
  }
}

Suggestion Learner::suggest() const {
  Suggestion out;
  out.allowed = allowed_;
  out.left_out = left_out_;
  for (const auto& [key, count] : denied_) out.denied += count;
  std::map<std::string, SuggestedDeny> denies;
  for (auto& rule : generalize()) narrow(std::move(rule), out.rules, denies);
  for (auto& [key, deny] : denies) out.denies.push_back(std::move(deny));
  std::stable_sort(out.rules.begin(), out.rules.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  std::map<std::string, int> names;
  for (auto& rule : out.rules) {
    for (const auto& method : rule.methods) rule.name += (rule.name.empty() ? "" : ", ") + method;
    rule.name += " " + rule.path + " by " +
                 (rule.principals.size() == 1 ? lastOf(*rule.principals.begin())
                                              : std::to_string(rule.principals.size()) + " callers");
    rule.name.resize(std::min(rule.name.size(), kLongestName));
    if (const int n = ++names[rule.name]; n > 1) rule.name += " (" + std::to_string(n) + ")";
  }
  return out;
}

}  // namespace yett::runtime
