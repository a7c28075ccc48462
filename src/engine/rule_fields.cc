#include "engine/rule_fields.h"

#include <algorithm>

#include "base/text.h"

namespace yett::engine {
namespace {

bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

Status setMethod(Rule& rule, const std::string& value) {
  if (!isToken(value)) return Error{"`" + base::printable(value) + "` is no method"};
  if (base::lowered(value) == value)
    return Error{"`" + value + "`: methods are case-sensitive, and common ones are upper case"};
  rule.methods.push_back(value);
  return {};
}

Status setPrincipal(Rule& rule, const std::string& value) {
  PrincipalMatcher matcher;
  if (value == "anyone") matcher.kind = PrincipalMatcher::Kind::kAnyone;
  else if (value == "authenticated") matcher.kind = PrincipalMatcher::Kind::kAuthenticated;
  else matcher = TRY(PrincipalMatcher::parse(value));
  rule.principals.push_back(std::move(matcher));
  return {};
}

}  // namespace

const std::vector<std::string_view>& ruleFieldNames() {
  static const std::vector<std::string_view> names = {"principal", "method", "host",   "path",          "header",
                                                      "source",    "when",   "reason", "public_reason", "status"};
  return names;
}

Status setMatcher(Rule& rule, std::string_view field, const std::vector<std::string>& values) {
  if (values.empty()) return Error{"is an empty list, which could match nothing"};
  for (const auto& value : values) {
    if (field == "method") TRY(setMethod(rule, value));
    else if (field == "principal") TRY(setPrincipal(rule, value));
    else if (field == "host") rule.hosts.push_back(TRY(target::HostPattern::parse(value)));
    else if (field == "source") rule.sources.push_back(TRY(target::Cidr::parse(value)));
    else {
      auto path = target::SegmentPattern::parsePath(value);
      if (!path) return std::move(path).error().within("`" + base::printable(value) + "`");
      rule.paths.push_back(std::move(path).value());
    }
  }
  return {};
}

Status addHeaderMatcher(Rule& rule, std::string_view header, const std::vector<std::string>& values) {
  if (!isToken(header)) return Error{"`" + base::printable(header) + "` is no header name"};
  if (base::lowered(header) != header) return Error{"`" + std::string(header) + "`: write header names in lower case"};
  if (values.empty()) return Error{"`" + std::string(header) + "` has an empty list, which could match nothing"};
  rule.headers.push_back({std::string(header), values});
  return {};
}

Status setText(Rule& rule, std::string_view field, std::string value) {
  if (field == "public_reason" && rule.allow)
    return Error{"`public_reason` is for deny rules: an allow has nothing to explain to the caller"};
  (field == "reason" ? rule.reason : rule.public_reason) = std::move(value);
  return {};
}

Status setStatus(Rule& rule, int64_t value) {
  if (rule.allow) return Error{"`status` is for deny rules"};
  if (value != 401 && value != 403 && value != 404 && value != 429)
    return Error{"`status` is " + std::to_string(value) + ", must be 401, 403, 404 or 429"};
  rule.status = static_cast<int>(value);
  return {};
}

Status checkRule(const Rule& rule) {
  if (rule.allow && rule.principals.empty())
    return Error{"an allow must say its `principal`: a SPIFFE ID pattern, `authenticated` or `anyone`"};
  return {};
}

}  // namespace yett::engine
