#include "rule/matchers.h"

#include <algorithm>

#include "base/text.h"
#include "identity/principal_id.h"
#include "identity/spiffe_id.h"
#include "rule/any_of.h"

namespace yett::rule {
namespace {

// SPIFFE-ID 2.2: what a path segment may contain.
bool isIdSegment(std::string_view text) {
  return text != "." && text != ".." && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_';
         });
}

constexpr size_t kFreeValues = 16;   // of one name, as ordinary requests have
constexpr uint64_t kLookSteps = 32;  // the cost of comparing one of many values

Match asMatch(bool yes) {
  return yes ? Match::kYes : Match::kNo;
}

// An allow needs exactly one value; a deny compares each value and, with `lists`, each element of a value.
Match matchValues(const std::vector<ValueMatcher>& values, const std::vector<std::string_view>& sent, bool loose,
                  bool lists, policy::AttributeReader& reader) {
  if (sent.empty()) {
    const bool wanted = std::any_of(values.begin(), values.end(), [](const auto& value) { return value.absent; });
    return wanted ? Match::kYes : Match::kAbsent;
  }
  if (!loose && sent.size() > 1) return Match::kError;
  AnyOf any(reader);
  const auto look = [&](std::string_view value) {
    // The cost is the product of sent and listed values.
    if ((lists || sent.size() > kFreeValues) && !any.spend(kLookSteps + values.size())) return false;
    return std::any_of(values.begin(), values.end(), [&](const ValueMatcher& wanted) {
      if (wanted.absent) return false;
      return wanted.regex ? any.regex(*wanted.regex, value) : any.plain(wanted.text == value);
    });
  };
  for (const auto& value : sent) {
    if (look(value)) return Match::kYes;
    if (!lists || value.find(',') == std::string_view::npos) continue;
    for (const auto element : base::split(value, ',')) {
      if (look(base::trimmed(element))) return Match::kYes;
    }
  }
  const Match out = any.result();
  return out == Match::kNo && sent.size() > 1 ? Match::kNoOfMany : out;
}

}  // namespace

// "dns:corp/host.name", "dns:corp/*".
static Result<PrincipalMatcher> parseNamed(std::string_view text) {
  PrincipalMatcher out;
  const auto slash = std::min(text.find('/'), text.size());
  const std::string shown = "`" + base::printable(text) + "`";
  out.trust_domain = text.substr(0, slash);
  const auto name = text.substr(std::min(slash + 1, text.size()));
  if (!identity::isNamingAuthority(out.trust_domain) || name.empty())
    return Error{shown + ": write `dns:NAME/host.name` or `cn:NAME/name`, with the NAME of an entry of " +
                 "`identity.x509_principals`, and `*` for all names"};
  if (name != "*") {
    auto sound = identity::checkName(out.trust_domain, name);
    if (!sound) return Error{shown + " can match nothing: " + sound.error().message};
  }
  out.path = TRY(target::SegmentPattern::parseExact(text.substr(slash)));
  return out;
}

Result<PrincipalMatcher> PrincipalMatcher::parse(std::string_view text) {
  PrincipalMatcher out;
  const std::string shown = "`" + base::printable(text) + "`";
  if (text == "anyone" || text == "authenticated") {
    out.kind = text == "anyone" ? Kind::kAnyone : Kind::kAuthenticated;
    return out;
  }
  if (identity::isNamed(text)) return parseNamed(text);
  if (!text.starts_with("spiffe://"))
    return Error{shown +
                 " is not a SPIFFE ID pattern: write `spiffe://trust.domain/path`, `authenticated` or `anyone`, or for "
                 "callers without one `dns:NAME/host` or `cn:NAME/name`"};
  const auto rest = text.substr(9);
  const auto slash = std::min(rest.find('/'), rest.size());
  out.trust_domain = rest.substr(0, slash);
  if (!identity::isTrustDomain(out.trust_domain))
    return Error{shown + ": the trust domain must be literal: a-z, 0-9, `.`, `-`, `_`"};
  if (slash == rest.size())
    return Error{shown + " names a trust domain but no workload: for all of it write `" + std::string(text) + "/**`"};
  auto path = target::SegmentPattern::parseExact(rest.substr(slash));
  if (!path) return std::move(path).error().within(shown);
  if (rest.ends_with('/')) return Error{shown + " ends with `/`, but a SPIFFE ID never does"};
  for (const auto& segment : path.value().segments()) {
    const std::string literal = segment.example();
    if (!isIdSegment(literal))
      return Error{shown + " can match nothing: `" + base::printable(literal) + "` is not a SPIFFE ID segment"};
  }
  out.path = std::move(path).value();
  return out;
}

Match matchPrincipal(const std::vector<PrincipalMatcher>& list, policy::AttributeReader& reader) {
  const identity::Principal& principal = *reader.request().principal;
  bool pattern = false;
  bool comparable = principal.hasSpiffeId();  // with one of the patterns
  AnyOf any(reader);
  for (const auto& matcher : list) {
    switch (matcher.kind) {
      case PrincipalMatcher::Kind::kAnyone: return Match::kYes;
      case PrincipalMatcher::Kind::kAuthenticated:
        if (any.plain(principal.hasSpiffeId())) return Match::kYes;
        break;
      case PrincipalMatcher::Kind::kPattern:
        pattern = true;
        comparable = comparable || (matcher.namesOthers() && !principal.anonymous());
        if (any.plain(!principal.anonymous() && principal.trust_domain == matcher.trust_domain &&
                      matcher.path.matches(principal.path)))
          return Match::kYes;
        break;
      case PrincipalMatcher::Kind::kRegex:
        pattern = true;
        if (principal.hasSpiffeId() && any.regex(*matcher.regex, principal.id)) return Match::kYes;
        break;
    }
  }
  return pattern && !comparable ? Match::kAbsent : any.result();
}

Match matchMethod(const std::vector<std::string>& list, std::string_view method, bool loose) {
  return asMatch(std::any_of(list.begin(), list.end(), [&](const std::string& wanted) {
    return wanted == method || (loose && wanted == "GET" && method == "HEAD");
  }));
}

Match matchHost(const std::vector<HostMatcher>& list, policy::AttributeReader& reader) {
  const std::string_view host = reader.request().host;
  if (host.empty()) return Match::kAbsent;
  AnyOf any(reader);
  for (const auto& m : list) {
    if (m.regex ? any.regex(*m.regex, host) : any.plain(m.pattern.matches(host))) return Match::kYes;
  }
  return any.result();
}

Match matchPath(const std::vector<PathMatcher>& list, policy::AttributeReader& reader, Reading how,
                const target::SegmentPattern*& found) {
  const std::string_view path = reader.request().path;
  found = nullptr;
  AnyOf any(reader);
  for (const auto& matcher : list) {
    if (!matcher.regex) {
      if (!any.plain(matcher.pattern.matches(path, how.loose, how.loose && how.fold))) continue;
      found = &matcher.pattern;
      return Match::kYes;
    }
    if (any.regex(*matcher.regex, path)) return Match::kYes;
    if (how.loose && path.size() > 1 && path.back() == '/' &&
        any.regex(*matcher.regex, path.substr(0, path.size() - 1)))
      return Match::kYes;
  }
  return any.result();
}

Match matchSource(const std::vector<target::Cidr>& list, const target::IpAddress& source) {
  if (!source.known()) return Match::kAbsent;
  return asMatch(std::any_of(list.begin(), list.end(), [&](const auto& range) { return range.contains(source); }));
}

Match matchHeader(const KeyedMatcher& matcher, policy::AttributeReader& reader, bool loose) {
  const bool list = reader.peekList(matcher.key).size() > 1;
  const auto noted = reader.read(list ? policy::Attr::kHeaderList : policy::Attr::kHeader, matcher.key);
  // Refused, or sent in two spellings of its name.
  if (!noted.present() && noted.state != policy::AttrValue::State::kAbsent) return Match::kError;
  const auto& sent = reader.peekList(matcher.key);
  return matchValues(matcher.values, sent, loose, loose, reader);
}

Match matchJwt(const std::vector<std::string>& providers, policy::AttributeReader& reader) {
  bool unsure = false;
  for (const auto& provider : providers) {
    const auto token = reader.read(policy::Attr::kJwt, provider);
    if (token.present()) return Match::kYes;
    unsure = unsure || token.state != policy::AttrValue::State::kAbsent;
  }
  return unsure ? Match::kError : Match::kNo;
}

// Limits hundreds of rules that compare thousands of values of one key to a few milliseconds.
static bool affords(size_t values, policy::AttributeReader& reader) {
  return values <= kFreeValues || reader.spendSteps(kLookSteps * values);
}

Match matchQuery(const KeyedMatcher& matcher, policy::AttributeReader& reader, Reading how) {
  const auto refused = [&](policy::Attr attr) {
    return reader.read(attr, matcher.key).state == policy::AttrValue::State::kRefused;
  };
  if (!reader.spendSteps(1)) return Match::kError;
  std::vector<std::string_view> sent;
  std::vector<std::string_view> anyhow;
  if (how.fold && (refused(policy::Attr::kQueryList) || !reader.peekQueryList(matcher.key, anyhow) ||
                   !affords(anyhow.size(), reader)))
    return Match::kError;
  if (how.fold && how.loose) {
    const Match out = matchValues(matcher.values, anyhow, true, false, reader);
    // Sent in another spelling alone, it is absent for some services and there for others.
    if (out == Match::kYes ||
        std::none_of(matcher.values.begin(), matcher.values.end(), [](const auto& value) { return value.absent; }))
      return out;
    if (refused(policy::Attr::kQuery) || !reader.peekQuery(matcher.key, sent)) return Match::kError;
    return sent.empty() != anyhow.empty() ? Match::kError : out;
  }
  if (refused(policy::Attr::kQuery) || !reader.peekQuery(matcher.key, sent) || !affords(sent.size(), reader))
    return Match::kError;
  if (how.fold && anyhow.size() != sent.size()) return Match::kError;
  return matchValues(matcher.values, sent, how.loose, false, reader);
}

// A deny looks only at the path, even if the request does not claim to be gRPC.
static Match matchGrpcPath(const std::vector<GrpcMatcher>& list, std::string_view path, bool fold) {
  const auto same = [fold](std::string_view a, std::string_view b) {
    return a == b || (fold && base::equalsIgnoreCase(a, b));
  };
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const auto slash = path.find('/', 1);
  const auto first = path.substr(path.empty() ? 0 : 1, slash == std::string_view::npos ? slash : slash - 1);
  const auto second = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return asMatch(std::any_of(list.begin(), list.end(), [&](const GrpcMatcher& m) {
    return same(m.service, first) && (m.method.empty() || same(m.method, second));
  }));
}

Match matchGrpc(const std::vector<GrpcMatcher>& list, policy::AttributeReader& reader, Reading how) {
  if (how.loose) return matchGrpcPath(list, reader.request().path, how.fold);
  const auto service = reader.read(policy::Attr::kGrpcService);
  const auto method = reader.read(policy::Attr::kGrpcMethod);
  if (service.state == policy::AttrValue::State::kRefused) return Match::kError;
  if (!service.present()) return Match::kAbsent;
  return asMatch(std::any_of(list.begin(), list.end(), [&](const GrpcMatcher& m) {
    return m.service == service.text && (m.method.empty() || m.method == method.text);
  }));
}

}  // namespace yett::rule
