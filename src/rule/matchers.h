// What a rule can require of a request, in native form. Each list means "any of"; an empty list matches everything.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/principal_id.h"
#include "policy/attribute_reader.h"
#include "rule/hours.h"
#include "target/cidr.h"
#include "target/host.h"
#include "target/regex.h"
#include "target/segment_pattern.h"

namespace yett::rule {

/// The result of a matcher. An allow needs certainty, a deny only a doubt: see matches() (rule.h).
enum class Match : uint8_t {
  kNo,
  kYes,
  kNoOfMany,  ///< no, and there was more than one value to compare
  kAbsent,    ///< there was no value to compare
  kError,     ///< undecided
};

/// Which callers a rule matches. No pattern matches an anonymous caller. Callers without a SPIFFE ID
/// (identity/principal_id.h) are matched only by patterns that name them, and by `anyone`.
struct PrincipalMatcher {
  enum class Kind : uint8_t { kAnyone, kAuthenticated, kPattern, kRegex };
  Kind kind = Kind::kPattern;
  std::string trust_domain;  ///< or `dns:corp`, `cn:corp`
  target::SegmentPattern path;
  std::optional<target::Regex> regex;  ///< over the whole SPIFFE ID

  /// "spiffe://trust.domain/segments" (the domain is literal, the path a segment pattern), `anyone`, `authenticated`.
  static Result<PrincipalMatcher> parse(std::string_view text);
  bool namesOthers() const { return identity::isNamed(trust_domain); }  ///< callers without a SPIFFE ID
};

/// A host, path or value; an expression if `regex` is set.
struct HostMatcher {
  target::HostPattern pattern;
  std::optional<target::Regex> regex;
};
/// The prefix of an expression that ignores case.
inline constexpr std::string_view kIgnoreCase = "(?i)";

struct PathMatcher {
  target::SegmentPattern pattern;
  std::optional<target::Regex> regex;
};
struct ValueMatcher {
  std::string text;
  policy::AttrValue::Type type = policy::AttrValue::Type::kText;  ///< of a claim: also a whole number, or true or false
  std::optional<target::Regex> regex;
  bool absent = false;  ///< matches if nothing was sent, and nothing that was sent
};

/// A header, query key or claim, and its values. A claim is written `corp.groups`.
struct KeyedMatcher {
  std::string key;
  std::vector<ValueMatcher> values;
};

/// "package.Service/Method" or "package.Service/*".
struct GrpcMatcher {
  std::string service;
  std::string method;  ///< "" for any
};

struct Matchers {
  std::vector<PrincipalMatcher> principals;
  std::vector<std::string> methods;
  std::vector<HostMatcher> hosts;
  std::vector<PathMatcher> paths;
  std::vector<target::Cidr> sources;
  std::vector<KeyedMatcher> headers;  // in these two lists every key must match, by any of its values
  std::vector<KeyedMatcher> queries;
  std::vector<GrpcMatcher> grpcs;
  std::vector<std::string> jwts;                 // providers
  std::vector<KeyedMatcher> claims;              // every claim must match, by any of its values
  std::shared_ptr<const Hours> hours = nullptr;  ///< null: any time
};

/// How a matcher reads what was sent. `loose` is how a deny reads: GET includes HEAD, a trailing slash is ignored, any
/// value of a key counts, also each element of a list in a header, and gRPC is matched by path. `fold`: spellings that
/// some service treats as the same count. A deny ignores ASCII case of paths, gRPC methods and query keys, and accepts
/// other spellings of the keys; for an allow, another spelling of a query key next to it is a doubt.
struct Reading {
  bool loose = false;
  bool fold = false;
};

/// The key of the attribute that a claim is: "corp.groups" -> "corp.claims.groups".
std::string claimKey(std::string_view claim);

/// Each REQUIRES a non-empty list.
Match matchPrincipal(const std::vector<PrincipalMatcher>& list, policy::AttributeReader& reader);
Match matchMethod(const std::vector<std::string>& list, std::string_view method, bool loose);
Match matchHost(const std::vector<HostMatcher>& list, policy::AttributeReader& reader);
/// `found` is the pattern that matched, for its captures; null for an expression.
Match matchPath(const std::vector<PathMatcher>& list, policy::AttributeReader& reader, Reading how,
                const target::SegmentPattern*& found);
Match matchSource(const std::vector<target::Cidr>& list, const target::IpAddress& source);
Match matchHeader(const KeyedMatcher& matcher, policy::AttributeReader& reader, bool loose);
Match matchQuery(const KeyedMatcher& matcher, policy::AttributeReader& reader, Reading how);
/// Whether there is a verified token of one of these providers.
Match matchJwt(const std::vector<std::string>& providers, policy::AttributeReader& reader);
/// A list matches by any of its elements, as do the words of a `scope` (RFC 8693 4.2). A deny also compares a number or
/// a flag with its text; a part that cannot be compared is a doubt.
Match matchClaim(const KeyedMatcher& matcher, policy::AttributeReader& reader, bool loose);
Match matchGrpc(const std::vector<GrpcMatcher>& list, policy::AttributeReader& reader, Reading how);

}  // namespace yett::rule
