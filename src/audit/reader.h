// Reading the audit log, live or copied: never in the way of the writer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

/// Which decisions. Empty: all. Texts match exactly; with a last `*` they match what begins so.
struct Query {
  std::optional<int64_t> since;  ///< microseconds, included
  std::optional<int64_t> until;  ///< not included
  std::string effect, principal, method, path, policy, rule, id;
  int64_t after_seq = 0;
  int64_t limit = 100;
  bool newest = true;  ///< the newest `limit`, told oldest first; else the oldest ones
};

struct Row {
  int64_t seq, time;
  std::string id, listener, route, principal, method, host, path, raw_target, effect, policy, rule, reason, errors,
      engine, policy_digest, reads, would_deny;
  int64_t eval_ns;
  bool cached;
  bool ended;  ///< the outcome is there
  int64_t status, bytes_in, bytes_out, duration_us;
  std::string upstream, result;
};

struct EventRow {
  int64_t seq, time, count;
  std::string what, subject, detail;
};

class Reader {
 public:
  static Result<Reader> open(const std::string& database);
  Result<std::vector<Row>> decisions(const Query& query);
  Result<std::vector<EventRow>> events(const Query& query);

 private:
  explicit Reader(store::Database db) : db_(std::move(db)) {}
  store::Database db_;
};

}  // namespace yett::audit
