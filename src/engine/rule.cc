#include "engine/rule.h"

#include <algorithm>

#include "base/text.h"
#include "identity/spiffe_id.h"

namespace yett::engine {

Result<PrincipalMatcher> PrincipalMatcher::parse(std::string_view text) {
  PrincipalMatcher out;
  const std::string shown = "`" + base::printable(text) + "`";
  if (!text.starts_with("spiffe://"))
    return Error{shown +
                 " is not a SPIFFE ID pattern: write `spiffe://trust.domain/path`, `authenticated` or `anyone`"};
  const auto rest = text.substr(9);
  const auto slash = std::min(rest.find('/'), rest.size());
  out.trust_domain = rest.substr(0, slash);
  if (!identity::isTrustDomain(out.trust_domain))
    return Error{shown + ": the trust domain must be literal: a-z, 0-9, `.`, `-`, `_`"};
  if (slash == rest.size())
    return Error{shown + " names a trust domain and no workload: for all of it write `" + std::string(text) + "/**`"};
  auto path = target::SegmentPattern::parseExact(rest.substr(slash));
  if (!path) return std::move(path).error().within(shown);
  if (rest.ends_with('/')) return Error{shown + " ends with `/`, which no SPIFFE ID does"};
  out.path = std::move(path).value();
  return out;
}

bool PrincipalMatcher::matches(const identity::Principal& principal) const {
  if (kind == Kind::kAnyone) return true;
  if (principal.anonymous()) return false;
  return kind == Kind::kAuthenticated || (principal.trust_domain == trust_domain && path.matches(principal.path));
}

namespace {

bool matchesMethod(const Rule& rule, std::string_view method) {
  return std::any_of(rule.methods.begin(), rule.methods.end(), [&](const std::string& wanted) {
    return wanted == method || (!rule.allow && wanted == "GET" && method == "HEAD");
  });
}

bool matchesHeader(const Rule& rule, const HeaderMatcher& matcher, const policy::CheckRequest& request) {
  size_t sent = 0;
  bool any = false;
  for (const auto& header : request.headers) {
    if (header.name != matcher.name) continue;
    ++sent;
    if (std::find(matcher.values.begin(), matcher.values.end(), header.value) != matcher.values.end()) any = true;
  }
  return any && (sent == 1 || !rule.allow);
}

template <typename List, typename Match>
bool emptyOrAny(const List& list, Match match) {
  return list.empty() || std::any_of(list.begin(), list.end(), match);
}

}  // namespace

bool Rule::matches(const policy::CheckRequest& request, const target::SegmentPattern*& path) const {
  path = nullptr;
  if (!methods.empty() && !matchesMethod(*this, request.method)) return false;
  if (!emptyOrAny(paths, [&](const auto& p) { return p.matches(request.path, !allow) && (path = &p); })) return false;
  if (!emptyOrAny(principals, [&](const auto& p) { return p.matches(*request.principal); })) return false;
  if (!emptyOrAny(hosts, [&](const auto& h) { return h.matches(request.host); })) return false;
  if (!emptyOrAny(sources, [&](const auto& s) { return s.contains(request.source); })) return false;
  return std::all_of(headers.begin(), headers.end(), [&](const auto& h) { return matchesHeader(*this, h, request); });
}

}  // namespace yett::engine
