#include "rule/rule.h"

#include <algorithm>
#include <tuple>

#include "target/segment_pattern.h"

namespace yett::rule {
namespace {

// Evaluates the matchers of a rule, or their `not_` twins, which are read the opposite way.
class Side {
 public:
  Side(const Rule& rule, policy::AttributeReader& reader, bool twins, const char** failed)
      : list_(twins ? *rule.unwanted : rule.wanted),
        reader_(reader),
        deny_(rule.deny()),
        twins_(twins),
        how_{deny_ != twins_, !rule.exact_case},
        failed_(failed),
        unknown_(reader.unknownReads()) {}

  bool all(const target::SegmentPattern*& path) {
    const policy::CheckRequest& r = reader_.request();
    if (!list_.methods.empty() && !holds("method", matchMethod(list_.methods, r.method, how_.loose))) return false;
    if (!list_.paths.empty() && !holds("path", matchPath(list_.paths, reader_, how_, path))) return false;
    if (!list_.principals.empty() && !holds("principal", matchPrincipal(list_.principals, reader_))) return false;
    if (!list_.hosts.empty() && !holds("host", matchHost(list_.hosts, reader_))) return false;
    if (!list_.sources.empty() && !holds("source", matchSource(list_.sources, r.source))) return false;
    if (!list_.grpcs.empty() && !holds("grpc", matchGrpc(list_.grpcs, reader_, how_))) return false;
    if (!list_.jwts.empty() && !holds("jwt", matchJwt(list_.jwts, reader_))) return false;
    return std::all_of(list_.headers.begin(), list_.headers.end(),
                       [&](const auto& h) { return holds("header", matchHeader(h, reader_, how_.loose)); }) &&
           std::all_of(list_.queries.begin(), list_.queries.end(),
                       [&](const auto& q) { return holds("query", matchQuery(q, reader_, how_)); }) &&
           std::all_of(list_.claims.begin(), list_.claims.end(),
                       [&](const auto& c) { return holds("claim", matchClaim(c, reader_, how_.loose)); }) &&
           (list_.hours == nullptr || holds("hours", inHours(r)));
  }

  // How many of them fail, looking at all.
  int failures() {
    const policy::CheckRequest& r = reader_.request();
    const target::SegmentPattern* ignored = nullptr;
    int out = 0;
    const auto count = [&](bool asked, auto match) { out += asked && !holds("", match()) ? 1 : 0; };
    count(!list_.methods.empty(), [&] { return matchMethod(list_.methods, r.method, how_.loose); });
    count(!list_.paths.empty(), [&] { return matchPath(list_.paths, reader_, how_, ignored); });
    count(!list_.principals.empty(), [&] { return matchPrincipal(list_.principals, reader_); });
    count(!list_.hosts.empty(), [&] { return matchHost(list_.hosts, reader_); });
    count(!list_.sources.empty(), [&] { return matchSource(list_.sources, r.source); });
    count(!list_.grpcs.empty(), [&] { return matchGrpc(list_.grpcs, reader_, how_); });
    for (const auto& h : list_.headers) count(true, [&] { return matchHeader(h, reader_, how_.loose); });
    for (const auto& q : list_.queries) count(true, [&] { return matchQuery(q, reader_, how_); });
    count(!list_.jwts.empty(), [&] { return matchJwt(list_.jwts, reader_); });
    for (const auto& c : list_.claims) count(true, [&] { return matchClaim(c, reader_, how_.loose); });
    count(list_.hours != nullptr, [&] { return inHours(r); });
    return out;
  }

 private:
  Match inHours(const policy::CheckRequest& r) const {
    return list_.hours->contains(r.time_seconds) ? Match::kYes : Match::kNo;
  }
  bool holds(const char* what, Match match) {
    bool out = false;
    switch (match) {
      case Match::kYes: out = !twins_; break;
      case Match::kNo: out = twins_; break;
      case Match::kNoOfMany: out = twins_ && deny_; break;
      case Match::kAbsent: out = twins_ && deny_; break;
      case Match::kError: out = deny_; break;
    }
    if (reader_.unknownReads() != unknown_) {  // replay: the result could be either
      unknown_ = reader_.unknownReads();
      out = deny_ != reader_.favoursAllow();
    }
    if (!out && failed_ != nullptr) *failed_ = what;
    return out;
  }
  const Matchers& list_;
  policy::AttributeReader& reader_;
  const bool deny_;
  const bool twins_;
  const Reading how_;
  const char** failed_;
  uint32_t unknown_;
};

constexpr std::pair<const char*, const char*> kTwins[] = {
    {"principal", "not_principal"}, {"method", "not_method"}, {"host", "not_host"},     {"path", "not_path"},
    {"header", "not_header"},       {"query", "not_query"},   {"source", "not_source"}, {"grpc", "not_grpc"},
    {"hours", "not_hours"},         {"jwt", "not_jwt"},       {"claim", "not_claim"}};

}  // namespace

// Binds every member, so that a new matcher does not compile until it is handled here.
bool Rule::beyondIndex() const {
  const auto& [principals, methods, hosts, paths, sources, headers, queries, grpcs, jwts, claims, hours] = wanted;
  return unwanted != nullptr || !headers.empty() || !queries.empty() || !grpcs.empty() || !jwts.empty() ||
         !claims.empty() || hours != nullptr;
}

bool matches(const Rule& rule, policy::AttributeReader& reader, const target::SegmentPattern*& path,
             const char** failed) {
  path = nullptr;
  if (!Side(rule, reader, false, failed).all(path)) return false;
  const target::SegmentPattern* ignored = nullptr;
  if (rule.unwanted == nullptr || Side(rule, reader, true, failed).all(ignored)) return true;
  if (failed == nullptr) return false;
  for (const auto& [name, twin] : kTwins) {
    if (std::string_view(*failed) == name) *failed = twin;
  }
  return false;
}

int failuresOf(const Rule& rule, policy::AttributeReader& reader) {
  return Side(rule, reader, false, nullptr).failures() +
         (rule.unwanted != nullptr ? Side(rule, reader, true, nullptr).failures() : 0);
}

bool evaluatedBefore(const Rule& a, const Rule& b) {
  const bool allow_a = a.allow();
  const bool allow_b = b.allow();
  return std::tie(allow_a, a.policy, a.name) < std::tie(allow_b, b.policy, b.name);
}

policy::RuleInfo infoOf(const Rule& rule) {
  const char* effect = rule.allow() ? "allow" : rule.kind == Rule::Kind::kDecide ? "decide" : "deny";
  policy::RuleInfo out{rule.policy, rule.name, effect, rule.position(), rule.audit_only};
  const auto add = [&out](const std::vector<PathMatcher>& paths) {
    for (const auto& path : paths) {
      if (!path.regex) out.paths.push_back(path.pattern);
    }
  };
  for (const auto& principal : rule.wanted.principals) {
    if (principal.kind == PrincipalMatcher::Kind::kPattern) out.trust_domains.push_back(principal.trust_domain);
  }
  for (const auto& header : rule.wanted.headers) {
    const bool value = std::any_of(header.values.begin(), header.values.end(), [](const auto& v) { return !v.absent; });
    if (value) out.headers.push_back(header.key);
  }
  for (const Matchers* side : {&rule.wanted, static_cast<const Matchers*>(rule.unwanted.get())}) {
    if (side == nullptr) continue;
    out.providers.insert(out.providers.end(), side->jwts.begin(), side->jwts.end());
    for (const auto& claim : side->claims) out.providers.push_back(claim.key.substr(0, claim.key.find('.')));
  }
  add(rule.wanted.paths);
  if (rule.unwanted != nullptr) add(rule.unwanted->paths);
  return out;
}

}  // namespace yett::rule
