// What the audit writer does besides writing: files, their size, their age, the clock.
#include "audit/writer.h"
#include "base/clock.h"

namespace yett::audit {
namespace {

constexpr size_t kLookEvery = 1'000;  // records between two checks of the file size
constexpr int64_t kWalPages = 1024;   // in the write-ahead log, 4 MiB: beyond that they are moved into the database

}  // namespace

void Writer::broke(const std::string& why) {
  if (!healthy_.exchange(false)) return;
  broken_by_ = why;
  broken_since_ = base::steadyNanos();
  failures_.add();
  events_.failed(why);
}

// An event in the log itself says how long it could not be written.
void Writer::recovered() {
  if (healthy_.exchange(true)) return;
  const int64_t millis = (base::steadyNanos() - broken_since_) / 1'000'000;
  append(EventRecord{base::wallMicros(), "writes failed", config_.database,
                     broken_by_ + "; for " + std::to_string(millis) + " ms requests were answered with 503", 1});
  events_.failed("");
}

void Writer::keepHouse(bool& busy) {
  auto more = retention_->step(*chain_, events_.deletable ? events_.deletable() : INT64_MAX);
  tell();
  if (!more) warn("retention", more.error());
  busy = more && more.value();
  if (full_.exchange(retention_->full()) == retention_->full()) return;
  if (!retention_->full()) return events_.failed("");
  events_.failed("the log has reached `retention.size`, but all of it is younger than `retention.min_age`");
}

// A step forward would delete records too early.
void Writer::lookAtClock() {
  const int64_t now = base::wallMicros();
  const int64_t step = clock_.look(now, base::bootMicros());
  if (step == 0) return;
  const std::string detail = std::string(step > 0 ? "forward" : "back") + " by " +
                             std::to_string((step > 0 ? step : -step) / 1'000'000) + " s, from " +
                             base::formatTime(now - step) + " to " + base::formatTime(now);
  append(EventRecord{now, "clock set", config_.database, detail, 1});
  retention_->onClockSet(step);
  if (chain_->ready())
    if (auto kept = retention_->keepClock(*chain_); !kept) warn("clock", kept.error());
  warn("clock",
       Error{"it was set " + detail + (step > 0 ? ": for a day, this step is ignored for the age of records" : "")});
}

// Moves pages out of the write-ahead log, and starts a new file if this one is full.
void Writer::moveIntoDatabase() {
  if (!chain_->ready()) return;
  if (chain_->database().walPages() >= kWalPages) chain_->database().checkpointPassive();
  if (const auto told = wal_.look(chain_->database()); !told.empty()) warn("write-ahead log", Error{told});
  chain_->tidy();
  if (written_since_look_ < kLookEvery) return;
  written_since_look_ = 0;
  if (!retention_->wantsNewFile(*chain_)) return;
  auto closed = chain_->rotate();
  tell();
  if (!closed) warn("rotation", closed.error());
  else if (!closed.value().empty() && events_.rotated) events_.rotated(closed.value());
}

void Writer::warn(const std::string& what, const Error& error) {
  if (events_.warned) events_.warned(what + ": " + error.message);
}

// Reports the last committed checkpoint, so that it leaves the host.
void Writer::tell() {
  if (const int64_t seq = chain_->takeCheckpoint(); seq != 0 && events_.checkpoint)
    events_.checkpoint(seq, chain_->checkpointHash(), chain_->keyName());
}

}  // namespace yett::audit
