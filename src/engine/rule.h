// A rule's matchers in native form, whatever language wrote them. Immutable after load; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/check_request.h"
#include "target/cidr.h"
#include "target/host.h"
#include "target/segment_pattern.h"

namespace yett::engine {

/// Which callers a rule means. No pattern matches an anonymous caller.
struct PrincipalMatcher {
  enum class Kind { kAnyone, kAuthenticated, kPattern };
  Kind kind = Kind::kPattern;
  std::string trust_domain;
  target::SegmentPattern path;

  /// "spiffe://trust.domain/segments": the domain is literal, the path a segment pattern.
  static Result<PrincipalMatcher> parse(std::string_view text);
  bool matches(const identity::Principal& principal) const;
};

struct HeaderMatcher {
  std::string name;  ///< lower case
  std::vector<std::string> values;
};

/// An empty list matches everything; else one of it must match. All that are set must.
struct Rule {
  std::string policy;
  std::string name;
  bool allow = false;
  std::string file;
  int line = 0;

  std::vector<PrincipalMatcher> principals;
  std::vector<std::string> methods;
  std::vector<target::HostPattern> hosts;
  std::vector<target::SegmentPattern> paths;
  std::vector<HeaderMatcher> headers;
  std::vector<target::Cidr> sources;

  int condition = -1;  ///< index of its `when`, or -1
  std::string reason;
  std::string public_reason;
  int status = 403;

  /// Natively, without any code. A deny reads loosely where an allow reads narrowly: GET denies HEAD, a trailing slash
  /// is ignored, any value of a header will do. `path` is the pattern that matched, for its captures.
  bool matches(const policy::CheckRequest& request, const target::SegmentPattern*& path) const;
  std::string position() const { return file + ":" + std::to_string(line); }
};

}  // namespace yett::engine
