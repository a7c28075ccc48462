// Looks at one rule for what is probably not meant.
#pragma once

#include <string>
#include <vector>

#include "rule/rule.h"
#include "target/segment_pattern.h"

namespace yett::rule {

/// Whether `outer` matches every path that `inner` does. `loose` and `fold`: as a deny reads (see Reading).
bool coversPath(const PathMatcher& outer, const PathMatcher& inner, bool loose, bool fold);
bool coversCaller(const PrincipalMatcher& outer, const PrincipalMatcher& inner);
bool coversHost(const HostMatcher& outer, const HostMatcher& inner);
bool coversPattern(const target::SegmentPattern& outer, const target::SegmentPattern& inner, bool loose,
                   bool fold = false);

/// What stands after "rule `name` ": methods that do not exist, matchers that exclude each other, names that look like
/// others.
std::vector<std::string> lintRule(const Rule& rule);

/// A name as a reader sees it: without case, blanks and dashes. Names of one policy that agree in it are confusable.
std::string looksLike(std::string_view name);

}  // namespace yett::rule
