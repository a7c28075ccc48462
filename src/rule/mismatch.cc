#include "rule/mismatch.h"

#include <vector>

#include "base/text.h"
#include "target/cidr.h"

namespace yett::rule {
namespace {

constexpr size_t kMaxListed = 5;

template <typename List, typename Text>
std::string listed(const List& list, Text text) {
  std::vector<std::string> out;
  for (const auto& item : list) {
    if (out.size() == kMaxListed) {
      out.push_back(std::to_string(list.size() - kMaxListed) + " more");
      break;
    }
    out.push_back(text(item));
  }
  return base::joined(out, ", ");
}

std::string textOf(const PrincipalMatcher& matcher) {
  switch (matcher.kind) {
    case PrincipalMatcher::Kind::kAnyone: return "anyone";
    case PrincipalMatcher::Kind::kAuthenticated: return "authenticated";
    case PrincipalMatcher::Kind::kRegex: return "re " + matcher.regex->text();
    case PrincipalMatcher::Kind::kPattern: break;
  }
  return (matcher.namesOthers() ? "" : "spiffe://") + matcher.trust_domain + matcher.path.text();
}

std::string textOf(const PathMatcher& matcher) {
  return matcher.regex ? "re " + matcher.regex->text() : matcher.pattern.text();
}

std::string textOf(const HostMatcher& matcher) {
  if (matcher.regex) return "re " + matcher.regex->text();
  return (matcher.pattern.wildcard() ? "*" : "") + matcher.pattern.name();
}

std::string textOf(const KeyedMatcher& matcher) {
  return matcher.key + ": " + listed(matcher.values, [](const ValueMatcher& value) {
           return value.absent ? "(absent)" : value.regex ? "re " + value.regex->text() : value.text;
         });
}

std::string valuesOf(const std::string& key, const std::vector<std::string_view>& values) {
  return key + ": " +
         (values.empty() ? "(absent)" : listed(values, [](std::string_view value) { return std::string(value); }));
}

std::string headersGot(const std::vector<KeyedMatcher>& list, policy::AttributeReader& reader) {
  return listed(list, [&](const KeyedMatcher& matcher) {
    const bool known = reader.peek(policy::Attr::kHeader, matcher.key).state != policy::AttrValue::State::kRefused;
    return known ? valuesOf(matcher.key, reader.peekList(matcher.key)) : matcher.key + ": (not recorded)";
  });
}

std::string queriesGot(const std::vector<KeyedMatcher>& list, policy::AttributeReader& reader) {
  return listed(list, [&](const KeyedMatcher& matcher) {
    std::vector<std::string_view> values;
    if (reader.peek(policy::Attr::kQuery, matcher.key).state == policy::AttrValue::State::kRefused)
      return matcher.key + ": (not recorded)";
    if (!reader.peekQuery(matcher.key, values)) return matcher.key + ": (the query cannot be decoded)";
    return valuesOf(matcher.key, values);
  });
}

std::string tokensGot(const policy::CheckRequest& request) {
  return request.tokens.empty() ? "no token"
                                : listed(request.tokens, [](const policy::NamedToken& one) { return one.provider; });
}

std::string claimsGot(const std::vector<KeyedMatcher>& list, policy::AttributeReader& reader) {
  return listed(list, [&](const KeyedMatcher& matcher) {
    const auto value = reader.peek(policy::Attr::kJwt, claimKey(matcher.key));
    using Type = policy::AttrValue::Type;
    std::string got(value.text);
    if (value.state == policy::AttrValue::State::kAbsent) got = "(absent)";
    else if (value.state == policy::AttrValue::State::kRefused) got = "(not recorded)";
    else if (value.present() && value.type == Type::kNumber) got = std::to_string(value.number);
    else if (value.present() && value.type == Type::kFlag) got = value.number != 0 ? "true" : "false";
    return matcher.key + ": " + got;
  });
}

}  // namespace

static Mismatch plainMismatch(const Rule& rule, std::string_view failed, policy::AttributeReader& reader) {
  const policy::CheckRequest& r = reader.request();
  const bool twin = failed.starts_with("not_");
  if (twin) failed.remove_prefix(4);
  if (twin && rule.unwanted == nullptr) return {};
  const Matchers& list = twin ? *rule.unwanted : rule.wanted;
  const auto text = [](const auto& matcher) { return textOf(matcher); };
  if (failed == "method") return {base::joined(list.methods, ", "), std::string(r.method)};
  if (failed == "path") return {listed(list.paths, text), std::string(r.path)};
  if (failed == "principal")
    return {listed(list.principals, text),
            r.principal != nullptr && !r.principal->id.empty() ? r.principal->id : "anonymous"};
  if (failed == "host") return {listed(list.hosts, text), std::string(r.host)};
  if (failed == "source")
    return {listed(list.sources,
                   [](const target::Cidr& range) {
                     const bool v4 = range.base().isV4();
                     return range.base().text() + "/" + std::to_string(v4 ? range.bits() - 96 : range.bits());
                   }),
            r.source.known() ? r.source.text() : "(unknown)"};
  if (failed == "grpc")
    return {
        listed(list.grpcs, [](const GrpcMatcher& m) { return m.service + "/" + (m.method.empty() ? "*" : m.method); }),
        std::string(r.path)};
  if (failed == "header") return {listed(list.headers, text), headersGot(list.headers, reader)};
  if (failed == "jwt") return {base::joined(list.jwts, ", "), tokensGot(r)};
  if (failed == "claim") return {listed(list.claims, text), claimsGot(list.claims, reader)};
  if (failed == "hours") return {list.hours->text(), list.hours->localTime(r.time_seconds)};
  if (failed == "query") return {listed(list.queries, text), queriesGot(list.queries, reader)};
  return {};
}

Mismatch mismatchOf(const Rule& rule, std::string_view failed, policy::AttributeReader& reader) {
  Mismatch out = plainMismatch(rule, failed, reader);
  if (failed.starts_with("not_") && !out.wanted.empty()) out.wanted.insert(0, "anything but ");
  return out;
}

}  // namespace yett::rule
