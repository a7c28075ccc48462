#include "rule/rule_fields.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"
#include "base/units.h"
#include "policy/attribute_reader.h"
#include "policy/decision.h"
#include "policy/settable_header.h"
#include "target/cidr.h"
#include "target/host.h"
#include "target/regex.h"
#include "target/segment_pattern.h"

namespace yett::rule {
namespace {

constexpr size_t kMaxListed = 10'000;

bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string quoted(std::string_view text) {
  return "`" + base::printable(text.substr(0, 200)) + "`";
}

bool takeTwin(std::string_view& field) {
  if (!field.starts_with("not_")) return false;
  field.remove_prefix(4);
  return true;
}

Matchers& side(Rule& rule, bool twin) {
  if (!twin) return rule.wanted;
  if (rule.unwanted == nullptr) rule.unwanted = std::make_unique<Matchers>();
  return *rule.unwanted;
}

Status noRegex(std::string_view field, const FieldValue& value) {
  if (value.regex) return Error{"does not accept `re`: write plain " + std::string(field) + "s"};
  return {};
}

Status addMethod(Matchers& to, const FieldValue& value) {
  TRY(noRegex("method", value));
  if (!isToken(value.text)) return Error{quoted(value.text) + " is not a method"};
  std::string upper = value.text;
  std::transform(upper.begin(), upper.end(), upper.begin(), base::toUpper);
  if (upper != value.text)
    return Error{quoted(value.text) + " can match nothing: a request with such a method is refused; write " +
                 quoted(upper)};
  to.methods.push_back(value.text);
  return {};
}

Status addPrincipal(Matchers& to, const FieldValue& value) {
  if (!value.regex) {
    to.principals.push_back(TRY(PrincipalMatcher::parse(value.text)));
    return {};
  }
  PrincipalMatcher& matcher = to.principals.emplace_back();
  matcher.kind = PrincipalMatcher::Kind::kRegex;
  matcher.regex = value.regex;
  return {};
}

Status addHost(Matchers& to, const FieldValue& value) {
  HostMatcher matcher;
  matcher.regex = value.regex;
  if (!value.regex && value.text.find(':') != std::string::npos && !value.text.ends_with(']'))
    return Error{quoted(value.text) + " names a port: hosts are compared without one"};
  if (!value.regex) {
    auto pattern = target::HostPattern::parse(value.text);
    if (!pattern) return std::move(pattern).error().within(quoted(value.text));
    matcher.pattern = std::move(pattern).value();
  }
  to.hosts.push_back(std::move(matcher));
  return {};
}

Status addPath(Matchers& to, const FieldValue& value) {
  PathMatcher matcher;
  matcher.regex = value.regex;
  if (value.regex && std::any_of(value.regex->text().begin(), value.regex->text().end(),
                                 [](unsigned char c) { return c <= ' ' || c > '~'; }))
    return Error{"re " + quoted(value.regex->text()) +
                 " can match nothing: a canonical path encodes blanks and non-ASCII bytes as %XX"};
  if (!value.regex) {
    auto pattern = target::SegmentPattern::parsePath(value.text);
    if (!pattern) return std::move(pattern).error().within(quoted(value.text));
    matcher.pattern = std::move(pattern).value();
  }
  to.paths.push_back(std::move(matcher));
  return {};
}

Status addSource(Matchers& to, const FieldValue& value) {
  TRY(noRegex("address range", value));
  to.sources.push_back(TRY(target::Cidr::parse(value.text)));
  return {};
}

Status addGrpc(Matchers& to, const FieldValue& value) {
  TRY(noRegex("gRPC method", value));
  const auto slash = value.text.find('/');
  GrpcMatcher matcher{value.text.substr(0, slash), slash == std::string::npos ? "" : value.text.substr(slash + 1)};
  const auto isName = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    });
  };
  if (slash == std::string::npos || !isName(matcher.service) || !(matcher.method == "*" || isName(matcher.method)))
    return Error{quoted(value.text) + " is not a gRPC method: write `package.Service/Method` or `package.Service/*`"};
  if (matcher.method == "*") matcher.method.clear();
  to.grpcs.push_back(std::move(matcher));
  return {};
}

// The name of an entry of `authentication.jwt`.
bool isProvider(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Status addJwt(Matchers& to, const FieldValue& value) {
  TRY(noRegex("provider name", value));
  if (!isProvider(value.text))
    return Error{quoted(value.text) + " is not a provider: write the name of an entry of `authentication.jwt`, or `" +
                 std::string(policy::kSvidProvider) + "` for a JWT-SVID"};
  to.jwts.push_back(value.text);
  return {};
}

// "corp.groups", "corp.realm_access.roles"
Status checkClaim(std::string_view key) {
  const auto dot = std::min(key.find('.'), key.size());
  if (key.substr(dot).starts_with(".claims."))
    return Error{quoted(key) + ": `claim` names claims only: write `" + std::string(key.substr(0, dot)) +
                 std::string(key.substr(dot + 7)) + "`"};
  if (isProvider(key.substr(0, dot)) && dot + 1 < key.size()) return {};
  return Error{quoted(key) + " is not a claim: write `PROVIDER.NAME`, for example `corp.groups`"};
}

}  // namespace

const std::vector<std::string_view>& ruleFieldNames() {
  static const std::vector<std::string_view> names = {
      "principal",     "not_principal", "method",     "not_method",    "host",   "not_host",   "path", "not_path",
      "header",        "not_header",    "query",      "not_query",     "source", "not_source", "grpc", "not_grpc",
      "jwt",           "not_jwt",       "claim",      "not_claim",     "hours",  "not_hours",  "when", "reason",
      "public_reason", "status",        "set_header", "remove_header", "ttl",    "audit_only", "case"};
  return names;
}

bool isListField(std::string_view field) {
  takeTwin(field);
  return field == "principal" || field == "method" || field == "host" || field == "path" || field == "source" ||
         field == "grpc" || field == "jwt";
}

bool isKeyedField(std::string_view field) {
  takeTwin(field);
  return field == "header" || field == "query" || field == "claim";
}

Status setMatcher(Rule& rule, std::string_view field, const std::vector<FieldValue>& values) {
  Matchers& to = side(rule, takeTwin(field));
  if (values.empty()) return Error{"is an empty list, which can match nothing"};
  if (values.size() > kMaxListed) return Error{"has over " + std::to_string(kMaxListed) + " entries: use `data`"};
  for (const auto& value : values) {
    if (value.absent) return Error{"does not accept `absent`: it is for `header`, `query` and `claim`"};
    if (value.type != policy::AttrValue::Type::kText)
      return Error{"does not accept `" + value.text + "`: only `claim` compares numbers, true and false"};
    if (field == "method") TRY(addMethod(to, value));
    else if (field == "principal") TRY(addPrincipal(to, value));
    else if (field == "host") TRY(addHost(to, value));
    else if (field == "path") TRY(addPath(to, value));
    else if (field == "grpc") TRY(addGrpc(to, value));
    else if (field == "source") TRY(addSource(to, value));
    else if (field == "jwt") TRY(addJwt(to, value));
    else return Error{"is not a matcher"};
  }
  return {};
}

Status addKeyedMatcher(Rule& rule, std::string_view field, std::string_view key, std::vector<FieldValue> values) {
  Matchers& to = side(rule, takeTwin(field));
  const bool header = field == "header";
  const bool claim = field == "claim";
  if (claim) TRY(checkClaim(key));
  if (header && !isToken(key)) return Error{quoted(key) + " is not a header name"};
  if (header && base::lowered(key) != key) return Error{quoted(key) + ": write header names in lower case"};
  if (key.empty() || key.size() > policy::AttributeReader::kLongestKey)
    return Error{quoted(key) + ": a key must have 1 to 256 bytes"};
  if (values.empty()) return Error{quoted(key) + " has an empty list, which can match nothing"};
  KeyedMatcher matcher{std::string(key), {}};
  if (values.size() > kMaxListed)
    return Error{quoted(key) + " has over " + std::to_string(kMaxListed) + " values: use `data`"};
  for (auto& value : values) {
    if (header && !value.regex && !value.absent && !policy::isFieldValue(value.text))
      return Error{quoted(key) + ": " + quoted(value.text) +
                   " can match nothing: it is not a valid field value (RFC 9110 5.5)"};
    if (!claim && value.type != policy::AttrValue::Type::kText)
      return Error{quoted(key) + ": " + value.text + " is not a string"};
    constexpr size_t kDigits = 16;  // of 2^53-1
    const std::string_view digits = std::string_view(value.text).substr(value.text.starts_with('-') ? 1 : 0);
    if (value.type == policy::AttrValue::Type::kNumber &&
        (digits.size() > kDigits || (digits.size() == kDigits && digits > "9007199254740991")))
      return Error{quoted(key) + ": " + value.text + " is beyond 2^53-1, which parsers read differently"};
    matcher.values.push_back({std::move(value.text), value.type, std::move(value.regex), value.absent});
  }
  (header ? to.headers : claim ? to.claims : to.queries).push_back(std::move(matcher));
  return {};
}

Status setText(Rule& rule, std::string_view field, std::string value) {
  if (field == "public_reason" && !rule.deny())
    return Error{"`public_reason` is for deny rules: an allow has nothing to explain to the caller"};
  if (field == "reason") rule.reason = std::move(value);
  else if (field == "public_reason") rule.public_reason = std::move(value);
  else return Error{quoted(field) + " is not a text field"};
  return {};
}

Status setStatus(Rule& rule, int64_t value) {
  if (!rule.deny()) return Error{"`status` is for deny rules"};
  if (value != 401 && value != 403 && value != 404 && value != 429)
    return Error{"`status` is " + std::to_string(value) + ", must be 401, 403, 404 or 429"};
  rule.status = static_cast<int>(value);
  return {};
}

Status setTtl(Rule& rule, std::string_view value) {
  auto ttl = base::parseDuration(value);
  if (!ttl) return std::move(ttl).error().within("`ttl`");
  if (ttl.value().count() < 1000 || ttl.value().count() % 1000 != 0)
    return Error{"`ttl` is `" + base::printable(value) + "`, must be whole seconds, like the time conditions read"};
  rule.ttl_seconds = ttl.value().count() / 1000;
  return {};
}

Status setAuditOnly(Rule& rule, bool value) {
  if (!rule.deny()) return Error{"`audit_only` is for deny rules"};
  rule.audit_only = value;
  return {};
}

Status setCase(Rule& rule, std::string_view value) {
  if (value != "exact")
    return Error{"`case` is " + quoted(value) + ", must be `exact`; without it a deny ignores case"};
  rule.exact_case = true;
  return {};
}

// Makes path expressions ignore case if the rule does.
static Status foldPaths(Rule& rule) {
  Matchers* side = rule.deny() ? &rule.wanted : rule.unwanted.get();
  if (rule.exact_case || side == nullptr) return {};
  for (auto& path : side->paths) {
    if (!path.regex) continue;
    auto folded = target::Regex::compile(std::string(kIgnoreCase) + path.regex->text());
    if (!folded) return Error{"`path` ignores case here: " + folded.error().message};
    path.regex = std::move(folded).value();
  }
  return {};
}

Status setHours(Rule& rule, std::string_view field, const std::vector<std::string>& entries, std::string_view zone) {
  Matchers& to = side(rule, takeTwin(field));
  to.hours = std::make_shared<const Hours>(TRY(Hours::create(entries, zone)));
  return {};
}

// Checks the name of a header that a rule sets or removes.
static Status checkHeader(const Rule& rule, std::string_view field, std::string_view header) {
  if (!rule.allow()) return Error{"`" + std::string(field) + "` is for allow rules"};
  if (!isToken(header) || base::lowered(header) != header)
    return Error{"`" + std::string(field) + "`: " + quoted(header) + " is not a header name in lower case"};
  if (!policy::maySetHeader(header))
    return Error{"`" + std::string(field) + "`: " + quoted(header) + " belongs to framing, the hop or Yett itself"};
  return {};
}

Result<ComputedHeader> copiedHeader(std::string_view name, std::string_view attribute) {
  ComputedHeader out{std::string(name)};
  std::string_view key;
  using policy::Attr;
  const bool known = policy::attributeNamed(attribute, out.attribute, key) && !policy::ofBody(out.attribute) &&
                     out.attribute != Attr::kQueryList && out.attribute != Attr::kHeaderList &&
                     out.attribute != Attr::kVia;
  if (!known || key.size() > policy::AttributeReader::kLongestKey)
    return Error{"`set_header`: " + quoted(attribute) +
                 " is not an attribute with a single value: write, for example, `principal.id`, `header.x-name` or "
                 "`params.id`"};
  if (out.attribute == Attr::kHeader && base::lowered(key) != key)
    return Error{"`set_header`: " + quoted(attribute) + ": write header names in lower case"};
  out.key = key;
  return out;
}

Status addComputed(Rule& rule, ComputedHeader header) {
  TRY(checkHeader(rule, "set_header", header.name));
  rule.computed.push_back(std::move(header));
  return {};
}

Status addObligation(Rule& rule, std::string_view field, std::string_view header, std::string_view value) {
  TRY(checkHeader(rule, field, header));
  if (!policy::isFieldValue(value))
    return Error{"`" + std::string(field) + "`: the value of " + quoted(header) +
                 " is not a valid field value (RFC 9110 5.5)"};
  if (rule.obligations == nullptr) rule.obligations = std::make_unique<policy::Obligations>();
  if (field == "set_header") rule.obligations->set_headers.emplace_back(header, value);
  else rule.obligations->remove_headers.emplace_back(header);
  return {};
}

static bool meantPrincipal(const std::vector<std::string>& fields) {
  return std::any_of(fields.begin(), fields.end(), [](const std::string& field) {
    return field == "principal" || base::nearestName(field, ruleFieldNames()) == "principal";
  });
}

Status finishRule(Rule& rule, const std::vector<std::string>& fields) {
  for (Matchers* side : {&rule.wanted, rule.unwanted.get()}) {
    if (side == nullptr) continue;
    const auto by_key = [](const auto& a, const auto& b) { return a.key < b.key; };
    std::sort(side->headers.begin(), side->headers.end(), by_key);
    std::sort(side->queries.begin(), side->queries.end(), by_key);
    std::sort(side->claims.begin(), side->claims.end(), by_key);
  }
  if (rule.obligations != nullptr) {
    std::sort(rule.obligations->set_headers.begin(), rule.obligations->set_headers.end());
    std::sort(rule.obligations->remove_headers.begin(), rule.obligations->remove_headers.end());
  }
  std::sort(rule.computed.begin(), rule.computed.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  TRY(foldPaths(rule));
  if (rule.allow() && rule.wanted.principals.empty() && !meantPrincipal(fields))
    return Error{"an allow must have a `principal`: a SPIFFE ID pattern, `authenticated` or `anyone`"};
  const auto runs = [](const ComputedHeader& header) { return header.function >= 0; };
  if (rule.ttl_seconds > 0 && rule.condition < 0 && std::none_of(rule.computed.begin(), rule.computed.end(), runs))
    return Error{"`ttl` is for rules with functions: without one nothing is remembered"};
  for (const auto& header : rule.computed) {
    if (rule.obligations != nullptr &&
        std::find(rule.obligations->remove_headers.begin(), rule.obligations->remove_headers.end(), header.name) !=
            rule.obligations->remove_headers.end())
      return Error{"`set_header` and `remove_header` both name " + quoted(header.name)};
    if (header.function >= 0 || header.attribute != policy::Attr::kParam) continue;
    const auto lacks = [&](const PathMatcher& path) {
      const auto& names = path.pattern.captures();
      return path.regex || std::find(names.begin(), names.end(), header.key) == names.end();
    };
    if (rule.wanted.paths.empty() || std::any_of(rule.wanted.paths.begin(), rule.wanted.paths.end(), lacks))
      return Error{"`set_header`: `path` does not capture " + quoted(header.key) + ", so it is always absent"};
  }
  return {};
}

void checkNames(const std::vector<Rule>& rules, std::vector<std::string>& problems) {
  std::map<std::pair<std::string_view, std::string_view>, const Rule*> seen;
  for (const auto& rule : rules) {
    const auto [first, fresh] = seen.try_emplace({rule.policy, rule.name}, &rule);
    if (fresh) continue;
    problems.push_back(rule.position() + ": rule `" + base::printable(rule.name) + "`: the policy `" +
                       base::printable(rule.policy) + "` already has a rule with this name, at " +
                       first->second->position());
  }
}

}  // namespace yett::rule
