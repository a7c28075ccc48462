// Random rules and requests from a small alphabet, so that they often match; and a slow, obvious matcher, written from
// docs/policy.md, that works on the text of rules and shares no code with the engine.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "policy/check_request.h"

namespace yett::test {

using Random = std::mt19937_64;

/// field -> values; keyed fields as "header:x-a". "re:..." is a regular expression.
struct RuleText {
  std::string policy;
  std::string name;
  bool allow = false;
  bool audit_only = false;
  std::map<std::string, std::vector<std::string>> fields;

  /// As an entry of a JSON rule file.
  std::string json() const;
};

/// A request with its strings; views of check() point into it.
struct RequestText {
  std::string method, path, host, query, principal, source;
  std::vector<std::pair<std::string, std::string>> headers;
  int64_t time = 1'800'000'000;
  bool token = false;                    // of the provider `corp`
  std::vector<std::string> groups = {};  // its claim; empty: it has none
};

/// Owns what a CheckRequest points to.
class OwnedRequest {
 public:
  explicit OwnedRequest(const RequestText& text);
  OwnedRequest(const OwnedRequest&) = delete;
  policy::CheckRequest check;

 private:
  RequestText text_;
  identity::Principal principal_;
  std::vector<policy::Header> headers_;
  std::vector<policy::NamedToken> tokens_;
};

identity::Principal principalOf(const std::string& id);

RuleText randomRule(Random& random, int number);
RequestText randomRequest(Random& random);

/// A whole JSON rule file.
std::string rulesJson(const std::vector<RuleText>& rules);

/// The decision of the obvious matcher: "allow policy/name", "deny policy/name" or "deny /default".
std::string obviousDecision(const std::vector<RuleText>& rules, const RequestText& request);

}  // namespace yett::test
