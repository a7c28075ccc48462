#include "serve/subjects.h"

#include "base/check.h"

namespace yett::serve {

void Subjects::add(Subject& subject) {
  subject.serial_ = next_serial_++;
  subject.place_ = all_.size();
  all_.push_back(&subject);
}

void Subjects::remove(Subject& subject) {
  YETT_CHECK(subject.serial_ != 0 && subject.place_ < all_.size() && all_[subject.place_] == &subject);
  subject.serial_ = 0;
  const size_t place = subject.place_;
  all_[place] = all_.back();
  all_[place]->place_ = place;
  all_.pop_back();
}

void Subjects::awaitRecord(Subject& subject, uint64_t ticket) {
  YETT_CHECK(awaiting_.empty() || awaiting_.back().ticket < ticket);
  awaiting_.push_back({&subject, subject.serial(), ticket});
}

void Subjects::goOn(const Awaiting& waiting) {
  if (waiting.subject->serial() == waiting.serial) waiting.subject->onRecord();
}

void Subjects::onDurable(uint64_t ticket) {
  while (!awaiting_.empty() && awaiting_.front().ticket <= ticket) {
    const Awaiting waiting = awaiting_.front();
    awaiting_.pop_front();
    goOn(waiting);
  }
}

void Subjects::onAuditFailed() {
  const auto all = std::exchange(awaiting_, {});
  for (const auto& waiting : all) goOn(waiting);
}

void Subjects::recheckAll(Again why) {
  const bool running = !rechecks_.empty();
  if (!running || why == Again::kPolicy) why_ = why;
  rechecks_.clear();
  for (Subject* subject : all_) {
    if (subject->underWay()) rechecks_.emplace_back(subject, subject->serial());
  }
  if (!running) recheckSome();
}

void Subjects::recheckSome() {
  constexpr size_t kSlice = 16;  // so that ten thousand streams do not stop the loop
  for (size_t i = 0; i < kSlice && !rechecks_.empty(); ++i) {
    const auto [subject, serial] = rechecks_.back();
    rechecks_.pop_back();
    if (subject->serial() == serial && subject->underWay()) subject->decideAgain(why_);
  }
  if (!rechecks_.empty()) loop_.nextTurn(recheck_timer_);
}

void Subjects::recheckSoon() {
  if (!recheck_all_timer_.waiting()) loop_.nextTurn(recheck_all_timer_);
}

}  // namespace yett::serve
