// The narrowest policy that allows what a log has seen: callers and paths generalized, with the evidence for each rule.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "audit/reader.h"

namespace yett::runtime {

/// This many values of one segment, with the same other segments, make it a `{...}`, or a `*` in a SPIFFE ID.
inline constexpr size_t kAlike = 5;

/// Path -> template. A segment is generalized if two values of it that look like identifiers (a number, a UUID, a
/// token), or kAlike values of any kind, were seen with the same other segments. Each path matches its own template.
std::map<std::string, std::string> templatesOf(const std::set<std::string>& paths);

/// An allow rule: callers, methods, one path template, and the evidence for it.
struct SuggestedRule {
  std::string name;
  std::set<std::string> principals;  ///< SPIFFE IDs, or one pattern; "": anonymous callers
  std::set<std::string> methods;
  std::set<std::string> hosts;  ///< "" if one had none
  std::string path;             ///< "/orders/{order_id}"
  std::string token = {};       ///< the provider of a token that all of them had; "": none
  int64_t count = 0;
  int64_t first = 0, last = 0;  ///< microseconds
  int64_t also_denied = 0;      ///< denied decisions with the same callers, methods and paths
  std::set<std::string> seen_paths;
  std::set<std::string> seen_principals;
  audit::Row example;
};

/// A deny rule for an exception: it was denied, but a template would allow it.
struct SuggestedDeny {
  std::set<std::string> principals, methods, hosts;
  std::string path;
  int64_t count = 0;
};

struct Suggestion {
  std::vector<SuggestedRule> rules;
  std::vector<SuggestedDeny> denies;
  int64_t allowed = 0;   ///< decisions that the policy is made from
  int64_t denied = 0;    ///< decisions that it must not allow
  int64_t left_out = 0;  ///< erased, masked, or not expressible in a rule
  std::string policyText(const std::string& name) const;
  std::string testText() const;
};

/// Learns from decisions one by one; keeps only distinct ones. One thread.
class Learner {
 public:
  void add(const audit::Row& row);
  Suggestion suggest() const;

 private:
  struct Key {
    std::string principal, method, host, path;
    std::string token;  ///< the provider of a token that policy found, "" if it looked for none
    std::string lacks;  ///< a provider whose token policy did not find; "": none is known
    auto operator<=>(const Key&) const = default;
  };
  struct Seen {
    int64_t count = 0, first = 0, last = 0;
    audit::Row example;
  };
  std::vector<SuggestedRule> generalize() const;
  void narrow(SuggestedRule rule, std::vector<SuggestedRule>& out, std::map<std::string, SuggestedDeny>& denies) const;
  bool exceptions(const SuggestedRule& rule, std::map<std::string, SuggestedDeny>& denies) const;
  bool covers(const SuggestedRule& rule, const Key& key) const;
  SuggestedRule ruleOf(const Key& key) const;
  bool wasAllowed(const Key& key) const;
  int64_t deniedBy(const SuggestedRule& rule) const;
  std::map<Key, Seen> seen_;
  std::map<Key, int64_t> denied_;
  int64_t allowed_ = 0;
  int64_t left_out_ = 0;
};

}  // namespace yett::runtime
