// Limits the memory held for peers that do not read. Belongs to the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/metrics.h"
#include "net/event_loop.h"
#include "serve/registry.h"
#include "serve/subjects.h"

namespace yett::serve {

/// Above the budget, cuts off: first single subjects whose client has read nothing for a while, slowest first; then
/// whole connections, those that hold the most first; then those that have held a little for a long time.
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
  // While over the budget: connections that have held something all the time, and since when. Some of these connections
  // may be gone.
  std::unordered_map<const Downstream*, int64_t> holders_;
  net::Timer timer_{[this] { look(); }};
};

}  // namespace yett::serve
