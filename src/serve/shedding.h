// Keeps what peers who take nothing hold in memory within a budget. Belongs to the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/metrics.h"
#include "net/event_loop.h"
#include "serve/registry.h"
#include "serve/subjects.h"

namespace yett::serve {

/// Where there is too much, some give up theirs: first single subjects whose client has taken nothing for a while, the
/// slowest first; then whole connections, those that hold most first; then those that have held a little for long.
class Shedding {
 public:
  /// `budget`: bytes that this loop's peers may hold (base::Held).
  Shedding(net::EventLoop& loop, Registry& registry, Subjects& subjects, size_t budget, base::Metrics& metrics);
  Shedding(const Shedding&) = delete;

 private:
  void look();
  void shedSubjects(int64_t& too_much);
  void shedConnections(int64_t& too_much);
  void close(Downstream& connection, size_t bytes, int64_t& too_much);
  net::EventLoop& loop_;
  Registry& registry_;
  Subjects& subjects_;
  const int64_t budget_;
  base::Counter& shed_;
  base::Counter& held_;  // of all loops
  int64_t told_held_ = 0;
  // Since when there has been too much, who has held something ever since, and from when on. The addresses may be of
  // connections that have gone.
  std::unordered_map<const Downstream*, int64_t> holders_;
  net::Timer timer_{[this] { look(); }};
};

}  // namespace yett::serve
