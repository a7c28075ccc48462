// All subjects of one loop that are in progress: which wait for a record, which must be decided again, which hold too
// much memory. Belongs to the loop's thread.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "net/event_loop.h"
#include "serve/subject.h"

namespace yett::serve {

class Subjects {
 public:
  explicit Subjects(net::EventLoop& loop) : loop_(loop) {}
  Subjects(const Subjects&) = delete;

  /// Gives it a new, unique serial.
  void add(Subject& subject);
  /// REQUIRES: was added, and not removed since.
  void remove(Subject& subject);
  const std::vector<Subject*>& all() const { return all_; }
  /// Addresses of subjects are kept for later: none may be destroyed, but each may be reused.
  bool named() const { return !awaiting_.empty() || !rechecks_.empty(); }

  /// Calls onRecord() later. Tickets of one loop increase.
  void awaitRecord(Subject& subject, uint64_t ticket);
  /// All records up to this ticket are on disk.
  void onDurable(uint64_t ticket);
  /// Records cannot be written: calls onRecord() for all that wait.
  void onAuditFailed();

  /// Decides in-flight subjects again, a few per loop iteration.
  void recheckAll(Again why);
  /// The same, but only once per loop iteration, however often it is called.
  void recheckSoon();

 private:
  struct Awaiting {
    Subject* subject;
    uint64_t serial;
    uint64_t ticket;
  };
  void goOn(const Awaiting& waiting);
  void recheckSome();
  net::EventLoop& loop_;
  std::vector<Subject*> all_;  // each knows its place
  uint64_t next_serial_ = 1;   // never used twice, even for a subject at the address of a destroyed one
  std::deque<Awaiting> awaiting_;
  std::vector<std::pair<Subject*, uint64_t>> rechecks_;  // and their serials
  Again why_ = Again::kPolicy;
  net::Timer recheck_all_timer_{[this] { recheckAll(Again::kPolicy); }};
  net::Timer recheck_timer_{[this] { recheckSome(); }};
};

}  // namespace yett::serve
