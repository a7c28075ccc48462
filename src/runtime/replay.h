// Replays a log: decides the recorded requests again with a candidate policy, on several threads.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "audit/reader.h"
#include "policy/policy_set.h"

namespace yett::runtime {

/// How the candidate's decision compares with the recorded one.
enum class Difference : uint8_t {
  kSame,       ///< the same effect by the same rule
  kOtherRule,  ///< the same effect by another rule
  kNewlyDenied,
  kNewlyAllowed,
  kUnknown,   ///< the answer needs data that the log does not have: not recorded, masked or erased
  kNotAsked,  ///< no policy decided it
};
inline constexpr size_t kDifferences = 6;

/// Decisions that differ in the same way.
struct DifferenceGroup {
  int64_t count = 0;
  std::vector<std::string> examples;  ///< "ID METHOD PATH"
  std::map<std::string, int64_t> principals, routes;
};

struct ReplayReport {
  std::array<int64_t, kDifferences> counts{};
  int64_t first = 0, last = 0;  ///< times, microseconds
  /// By (difference, "policy/rule" that was recorded, "policy/rule" of the candidate).
  std::map<std::tuple<Difference, std::string, std::string>, DifferenceGroup> groups;
  std::map<std::string, int64_t> unknown;    ///< attribute -> decisions that need it
  std::map<std::string, int64_t> not_asked;  ///< why -> decisions
  int64_t decisions() const;
  int64_t differing() const;
  int64_t undecided() const { return counts[static_cast<size_t>(Difference::kUnknown)]; }
};

struct ReplayPlan {
  std::shared_ptr<const policy::PolicySet> candidate;
  audit::Query query;
  size_t examples = 3;
  unsigned threads = 1;
  std::function<void(int64_t decisions)> progress = {};
  /// Called for each line of a condition that runs, on any of the threads, one call at a time; may be null.
  std::function<void(const char* file, int line)> on_line = {};
  /// Called for each decision, one call at a time, with the record and the candidate's decision; may be null.
  std::function<void(const audit::Row&, const policy::Decision&, Difference)> on_decision = {};
};

Result<ReplayReport> replay(const audit::LogRef& log, const ReplayPlan& plan);
/// Adds the report on another file.
void add(ReplayReport& to, const ReplayReport& more, size_t examples);

}  // namespace yett::runtime
