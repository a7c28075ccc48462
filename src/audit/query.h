// Queries on the log, and how a block is searched for one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/block_data.h"
#include "audit/block_filter.h"
#include "audit/block_source.h"
#include "base/result.h"

namespace yett::audit {

/// Selects decisions. Empty: all. Texts match exactly or, with a trailing `*`, by prefix.
struct Query {
  std::optional<int64_t> since;  ///< microseconds, included
  std::optional<int64_t> until;  ///< not included
  std::string effect, principal, method, path, policy, rule, id, host, source;
  /// What the whole text must also be like; empty: anything. `path` and `principal` then hold the prefix to look for.
  std::function<bool(std::string_view)> path_fits = {}, principal_fits = {};
  bool anonymous = false;                                    ///< only callers without an identity
  std::vector<std::pair<size_t, std::string>> exactly = {};  ///< columns of layout(Kind::kDecision), and their texts
  int64_t after_seq = 0;
  int64_t up_to_seq = INT64_MAX;
  int64_t limit = 100;
  bool newest = true;  ///< the newest `limit`, returned oldest first; else the oldest ones
};

/// Searches blocks for the results of a query. One thread.
class Search {
 public:
  explicit Search(const Query& query);
  const Query& query() const { return query_; }

  /// By the block's numbers and times: false if none of its decisions can match.
  bool mayBeIn(const BlockHead& head) const;
  /// By the block's filter.
  bool mayBeIn(std::string_view filter) const;
  /// The rows of the matching decisions, ascending.
  Result<std::vector<uint32_t>> rows(BlockData& data) const;

 private:
  struct Wanted {
    size_t column;  // of layout(Kind::kDecision)
    std::string text;
    bool prefix;
    std::function<bool(std::string_view)> fits = {};
  };
  void want(Term term, const char* column, const std::string& wanted,
            const std::function<bool(std::string_view)>& fits = {});
  void wantExactly(size_t column, const std::string& text);
  Status keepText(BlockData& data, const Wanted& wanted, std::vector<uint32_t>& rows) const;

  Query query_;
  std::vector<Wanted> wanted_;
  std::vector<Token> tokens_;
  std::optional<Token> effect_, principal_, path_;  // for their pairs
};

/// Columns of layout(Kind::kDecision), by name. REQUIRES: there is one.
size_t decisionColumn(std::string_view name);

}  // namespace yett::audit
