// All that was decided on one loop and still goes on: who waits for a record, who is to be decided again, who holds too
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

  /// Gives it a serial that no other had.
  void add(Subject& subject);
  /// REQUIRES: was added, and not removed since.
  void remove(Subject& subject);
  const std::vector<Subject*>& all() const { return all_; }
  /// Somebody keeps addresses of subjects for later: none may be destroyed, though each may be used again.
  bool named() const { return !awaiting_.empty() || !rechecks_.empty(); }

  /// It goes on by onRecord(). Tickets of one loop grow.
  void awaitRecord(Subject& subject, uint64_t ticket);
  /// All records up to this ticket are on disk.
  void onDurable(uint64_t ticket);
  /// Records cannot be written: who waits for one is told now.
  void onAuditFailed();

  /// The policy has changed: those under way are decided again, some at each turn of the loop.
  void recheckAll();
  /// The same, once however often it is asked for in this turn.
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
  uint64_t next_serial_ = 1;   // never used twice, also by one that stands where another was destroyed
  std::deque<Awaiting> awaiting_;
  std::vector<std::pair<Subject*, uint64_t>> rechecks_;  // and their serials
  net::Timer recheck_all_timer_{[this] { recheckAll(); }};
  net::Timer recheck_timer_{[this] { recheckSome(); }};
};

}  // namespace yett::serve
