#include "rule/lint_rule.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace yett::rule {

bool coversPattern(const target::SegmentPattern& outer, const target::SegmentPattern& inner, bool loose, bool fold) {
  if (outer.asterisk() || inner.asterisk()) return outer.asterisk() && inner.asterisk();
  // Only what can be compared segment by segment, or is the same pattern.
  const auto simple = [](const auto& pattern) {
    return !pattern.endings() && (!pattern.rest() || pattern.endsWithRest());
  };
  if (!simple(outer) || !simple(inner)) {
    if (outer.text() == inner.text()) return true;
    if (!simple(outer) || inner.before() < outer.segments().size()) return false;
  }
  const auto& a = outer.segments();
  const auto& b = inner.segments();
  // From here on `outer` is simple, and only the segments before a `**` of `inner` are compared.
  if (outer.rest() ? b.size() < a.size() : inner.rest() || b.size() != a.size()) return false;
  if (!outer.rest() && !loose && outer.trailingSlash() != inner.trailingSlash()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i].any && (b[i].any || !(fold ? base::equalsIgnoreCase(a[i].text, b[i].text) : a[i].text == b[i].text)))
      return false;
  }
  return true;
}

bool coversCaller(const PrincipalMatcher& outer, const PrincipalMatcher& inner) {
  using Kind = PrincipalMatcher::Kind;
  if (outer.kind == Kind::kAnyone) return true;
  if (outer.kind == Kind::kAuthenticated) return inner.kind != Kind::kAnyone && !inner.namesOthers();
  if (outer.kind != inner.kind) return false;
  if (outer.kind == Kind::kRegex) return outer.regex->text() == inner.regex->text();
  return outer.trust_domain == inner.trust_domain && coversPattern(outer.path, inner.path, false);
}

bool coversHost(const HostMatcher& outer, const HostMatcher& inner) {
  if (outer.regex || inner.regex) return outer.regex && inner.regex && outer.regex->text() == inner.regex->text();
  const std::string& a = outer.pattern.name();
  const std::string& b = inner.pattern.name();
  if (!outer.pattern.wildcard()) return !inner.pattern.wildcard() && a == b;
  return inner.pattern.wildcard() ? b.ends_with(a) : b.size() > a.size() && b.ends_with(a);
}

bool coversPath(const PathMatcher& outer, const PathMatcher& inner, bool loose, bool fold) {
  if (!outer.regex && outer.pattern.endsWithRest() && outer.pattern.segments().empty()) return true;
  const auto text = [](const PathMatcher& path) {  // without the prefix that ignores case
    const std::string_view whole = path.regex->text();
    return whole.starts_with(kIgnoreCase) ? whole.substr(kIgnoreCase.size()) : whole;
  };
  if (outer.regex || inner.regex) return outer.regex && inner.regex && text(outer) == text(inner);
  return coversPattern(outer.pattern, inner.pattern, loose, fold);
}

namespace {

// The HTTP Method Registry of IANA, and what caches and UPnP use.
constexpr std::array<std::string_view, 46> kMethods = {"GET",
                                                       "HEAD",
                                                       "POST",
                                                       "PUT",
                                                       "DELETE",
                                                       "PATCH",
                                                       "OPTIONS",
                                                       "TRACE",
                                                       "CONNECT",
                                                       "ACL",
                                                       "BIND",
                                                       "CHECKIN",
                                                       "CHECKOUT",
                                                       "COPY",
                                                       "LABEL",
                                                       "LINK",
                                                       "LOCK",
                                                       "MERGE",
                                                       "MKCOL",
                                                       "MOVE",
                                                       "ORDERPATCH",
                                                       "PROPFIND",
                                                       "PROPPATCH",
                                                       "QUERY",
                                                       "REBIND",
                                                       "REPORT",
                                                       "SEARCH",
                                                       "UNBIND",
                                                       "UNCHECKOUT",
                                                       "UNLINK",
                                                       "UNLOCK",
                                                       "UPDATE",
                                                       "PURGE",
                                                       "TRACK",
                                                       "DEBUG",
                                                       "BAN",
                                                       "NOTIFY",
                                                       "SUBSCRIBE",
                                                       "UNSUBSCRIBE",
                                                       "BASELINE-CONTROL",
                                                       "MKACTIVITY",
                                                       "MKCALENDAR",
                                                       "MKREDIRECTREF",
                                                       "MKWORKSPACE",
                                                       "UPDATEREDIRECTREF",
                                                       "VERSION-CONTROL"};

// Each entry of `wanted` is excluded by one of `unwanted`: nothing is left.
template <typename List, typename Covers>
bool excludes(const List& unwanted, const List& wanted, Covers each) {
  constexpr size_t kMaxPairs = 10'000;
  if (unwanted.empty() || wanted.empty() || unwanted.size() * wanted.size() > kMaxPairs) return false;
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& in) {
    return std::any_of(unwanted.begin(), unwanted.end(), [&](const auto& out) { return each(out, in); });
  });
}

// The field of which its `not_` twin leaves nothing; "" if there is none. A deny that ignores case also matches
// spellings that its twins do not exclude.
std::string excluded(const Rule& rule) {
  if (rule.unwanted == nullptr || !(rule.allow() || rule.exact_case)) return "";
  const Matchers& in = rule.wanted;
  const Matchers& out = *rule.unwanted;
  const bool loose = rule.allow();  // the twins of an allow are read as a deny reads
  const bool fold = loose && !rule.exact_case;
  if (excludes(out.paths, in.paths, [&](const auto& a, const auto& b) { return coversPath(a, b, loose, fold); }))
    return "path";
  if (excludes(out.principals, in.principals, coversCaller)) return "principal";
  if (excludes(out.hosts, in.hosts, coversHost)) return "host";
  if (excludes(out.methods, in.methods, [](const auto& a, const auto& b) { return a == b; })) return "method";
  return "";
}

bool mixesScripts(std::string_view name) {
  bool latin = false;
  bool other = false;
  for (size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    latin = latin || (base::toLower(name[i]) >= 'a' && base::toLower(name[i]) <= 'z');
    other = other || (byte >= 0xcd && byte <= 0xd4);  // Greek and Cyrillic: U+0340 to U+053F
  }
  return latin && other;
}

}  // namespace

std::vector<std::string> lintRule(const Rule& rule) {
  std::vector<std::string> out;
  for (const Matchers* side : {&rule.wanted, static_cast<const Matchers*>(rule.unwanted.get())}) {
    if (side == nullptr) continue;
    for (const auto& method : side->methods) {
      if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end())
        out.push_back("names the method `" + base::printable(method) + "`, which no registry knows" +
                      base::didYouMean(method, kMethods));
    }
  }
  const auto& methods = rule.wanted.methods;
  if (rule.allow() && !rule.wanted.grpcs.empty() && !methods.empty() &&
      std::find(methods.begin(), methods.end(), "POST") == methods.end())
    out.push_back("can never match: a gRPC call is a POST, which `method` does not list");
  if (const std::string field = excluded(rule); !field.empty())
    out.push_back("can never match: `not_" + field + "` excludes everything that `" + field + "` matches");
  for (const std::string_view name : {std::string_view(rule.name), std::string_view(rule.policy)}) {
    if (mixesScripts(name))
      out.push_back("has a name that mixes Latin with Greek or Cyrillic letters: it may look like another name");
  }
  return out;
}

std::string looksLike(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != ' ' && c != '-' && c != '_') out += base::toLower(c);
  }
  return out;
}

}  // namespace yett::rule
