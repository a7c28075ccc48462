#include "audit/retention.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <tuple>
#include <utility>

#include "audit/block_source.h"
#include "audit/log_files.h"
#include "audit/open_log.h"
#include "audit/policies.h"
#include "base/clock.h"
#include "base/text.h"
#include "store/database.h"

namespace yett::audit {
namespace {

constexpr int64_t kLookEveryNanos = 5'000'000'000;
constexpr int64_t kDayMillis = 86'400'000;
constexpr int64_t kNear = 60'000'000;  // microseconds: clocks differ by less
constexpr int64_t kSlice = 8;          // blocks in one transaction

// The time on the clock, and how much of it is doubted.
struct Clock {
  int64_t wall, ahead;
  /// SQL for a time without the doubted part, which only times after the clock was set contain.
  std::string trusted(const std::string& time) const {
    return "(CASE WHEN " + time + " <= " + std::to_string(wall - ahead + kNear) + " THEN " + time + " ELSE " + time +
           " - " + std::to_string(ahead) + " END)";
  }
};

Result<int64_t> number(store::Database& db, const std::string& sql) {
  auto row = TRY(db.prepare(sql));
  return TRY(row.step()) ? row.integer(0) : 0;
}

// SQL: whether row `b` of table `blocks` is younger than `since`. A block without decisions is as young as its events
// and heartbeats. No record is younger than the next, so a time in the future (the clock was wrong for a moment) is
// replaced by that of the next block.
std::string isYoung(int64_t since, const Clock& clock, std::optional<int64_t> open) {
  const std::string time = std::to_string(since);
  const std::string come = std::to_string(clock.wall + kNear);
  const auto any = [&](const std::string& table) {
    return "EXISTS (SELECT 1 FROM " + table + " r WHERE r.seq BETWEEN b.first AND b.last AND r.time <= " + come +
           " AND " + clock.trusted("r.time") + " >= " + time + ")";
  };
  const std::string next = "(SELECT " + clock.trusted("n.time_min") +
                           " FROM blocks n WHERE n.last > b.last AND n.decisions > 0 AND n.time_min <= " + come +
                           " ORDER BY n.last LIMIT 1)";
  // After the last block comes the open one.
  const std::string last =
      clock.trusted(open && *open <= clock.wall + kNear ? std::to_string(*open) : std::string("time_min"));
  return "(CASE WHEN decisions > 0 THEN CASE WHEN time_max <= " + come + " THEN " + clock.trusted("time_max") +
         " ELSE coalesce(" + next + ", " + last + ") END >= " + time + " ELSE " + any("events") + " OR " +
         any("heartbeats") + " END)";
}

// The policies of the first remaining decisions are still needed, although their events are deleted.
Status keepPolicies(ChainWriter& chain, int64_t through) {
  for (const auto& [digest, document] : TRY(policiesToKeep(chain.database(), through)))
    TRY(putPolicy(chain, digest, document));
  auto gone = TRY(chain.database().prepare("DELETE FROM policies WHERE last_seq <= ?"));
  return gone.bind(1, through).run();
}

}  // namespace

// Each step is trusted after a day of running, independently of the others.
void Retention::onClockSet(int64_t step) {
  constexpr int64_t kNear = 60'000'000;
  if (step > 0) steps_.push_back({step, base::bootMicros() + kDayMillis * 1000});
  // Set back: the last steps forward were wrong, by this much.
  for (int64_t back = step < 0 ? -step : 0; back > 0 && !steps_.empty();) {
    const int64_t taken = std::min(back, steps_.back().size);
    steps_.back().size -= taken;
    back -= taken;
    if (steps_.back().size < kNear) steps_.pop_back();
  }
}

int64_t Retention::ahead() const {
  int64_t out = 0;
  for (const auto& step : steps_) out += step.size;
  return out;
}

// The time without clock steps that are not trusted yet.
int64_t Retention::trustedNow() const {
  return base::wallMicros() - ahead();
}

// If all records are too old, even those of the last stop, the clock was probably set while Yett was stopped.
Result<int64_t> Retention::setWhileStopped(ChainWriter& chain) {
  auto& db = chain.database();
  if (config_.retention_age.count() == 0) return 0;
  const int64_t now = base::wallMicros();
  // Ignores events that this start has written.
  const int64_t newest = std::max(
      TRY(number(db,
                 "SELECT max(t) FROM (SELECT coalesce(max(time_max), 0) t FROM blocks UNION ALL SELECT "
                 "coalesce(max(time), 0) FROM events WHERE what NOT IN ('gap', 'unsigned tail', 'signing begins', "
                 "'key changed', 'log missing'))")),
      chain.openTime().value_or(0));
  return newest > 0 && newest < now - config_.retention_age.count() * 1000 ? now - newest : 0;
}

// Clock steps stay doubted across restarts.
Status Retention::keepClock(ChainWriter& chain, bool now) {
  constexpr int64_t kEvery = 60'000'000;  // the rest of the day is saved each minute, and at the end
  auto& db = chain.database();
  const int64_t boot = base::bootMicros();
  if (!std::exchange(clock_read_, true)) {
    const int64_t ahead = TRY(metaNumber(db, "clock_ahead")).value_or(0);
    const int64_t wait = TRY(metaNumber(db, "clock_wait")).value_or(0);
    if (ahead > 0 && wait > 0) steps_.insert(steps_.begin(), {ahead, boot + std::min(wait, kDayMillis * 1000)});
    else onClockSet(TRY(setWhileStopped(chain)));
  }
  std::erase_if(steps_, [boot](const Step& step) { return boot >= step.until; });
  const int64_t ahead = this->ahead();
  const int64_t left = steps_.empty() ? 0 : steps_.back().until - boot;
  const int64_t noted = TRY(metaNumber(db, "clock_wait")).value_or(0);
  const int64_t noted_ahead = TRY(metaNumber(db, "clock_ahead")).value_or(0);
  if (ahead == noted_ahead && (left == noted || (!now && left < noted && noted - left < kEvery))) return {};
  if (ahead == 0) return db.execute("DELETE FROM meta WHERE name IN ('clock_ahead', 'clock_wait')");
  return db.execute("INSERT OR REPLACE INTO meta VALUES ('clock_ahead', " + std::to_string(ahead) +
                    "), ('clock_wait', " + std::to_string(std::max<int64_t>(left, 1)) + ")");
}

// The end of the first block, if it is old enough; else 0.
Result<int64_t> Retention::oldestOfSize(ChainWriter& chain, int64_t deletable) {
  auto& db = chain.database();
  if (TRY(number(db, "SELECT count(*) FROM (SELECT 1 FROM blocks LIMIT 1)")) == 0) {
    // There is only the open block, or policy sources.
    TRY(closeOld(chain, trustedNow() - config_.retention_min_age.count() * 1000));
  } else if (config_.retention_min_age.count() > 0) {
    const int64_t since = trustedNow() - config_.retention_min_age.count() * 1000;
    full_ =
        TRY(number(db, "SELECT NOT EXISTS (SELECT 1 FROM (SELECT * FROM blocks ORDER BY last LIMIT 1) b WHERE NOT " +
                           isYoung(since, Clock{base::wallMicros(), ahead()}, chain.openTime()) + ")")) != 0;
    if (full_) return 0;
  }
  return number(db, "SELECT coalesce(min(last), 0) FROM blocks WHERE last <= " + std::to_string(deletable));
}

// The last link of the blocks that are too old or too many; 0: none.
Result<int64_t> Retention::through(ChainWriter& chain, int64_t deletable) {
  auto& db = chain.database();
  int64_t out = 0;
  if (config_.retention_age.count() > 0) {
    const int64_t since = trustedNow() - config_.retention_age.count() * 1000;
    // Not beyond a block that is young: the clock may have been set back.
    out = TRY(number(db,
                     "SELECT coalesce(max(last), 0) FROM blocks WHERE last < (SELECT coalesce(min(last), 9e18) FROM "
                     "blocks b WHERE " +
                         isYoung(since, Clock{base::wallMicros(), ahead()}, chain.openTime()) +
                         ") AND last <= " + std::to_string(deletable)));
  }
  if (out == 0 && config_.retention_size > 0 && TRY(db.usedBytes()) > static_cast<int64_t>(config_.retention_size))
    out = TRY(oldestOfSize(chain, deletable));
  return out;
}

// In its own transaction, with a checkpoint: nothing else excuses missing records.
Status Retention::announce(ChainWriter& chain, int64_t through, const std::string& hash, bool keep) {
  const std::string detail = "through " + std::to_string(through) + " " + base::hex(hash);
  TRY(chain.begin(80));
  auto done = keep ? keepPolicies(chain, through) : Status();
  if (done) done = chain.add(EventRecord{base::wallMicros(), kRetentionEvent, config_.database, detail, 1});
  if (done) done = chain.addCheckpoint();
  if (done) done = chain.commit();
  if (!done) chain.rollback();
  return done;
}

// Deletes the oldest closed file as a whole, once its youngest record is too old or all files together are too large.
// True: there may be more.
Result<bool> Retention::deleteClosed(ChainWriter& chain, const std::string& file, int64_t deletable) {
  int64_t last = 0;
  std::string hash;
  bool old = false;
  bool young = false;
  {
    auto db = TRY(openLog(file));
    std::tie(last, hash) = TRY(BlockSource(db).end());
    if (last == 0) return false;
    const Clock clock{base::wallMicros(), ahead()};
    const std::string come = std::to_string(clock.wall + kNear);
    int64_t youngest = TRY(number(db, "SELECT coalesce(max(" + clock.trusted("time") +
                                          "), 0) FROM (SELECT time_max time FROM blocks UNION ALL SELECT time FROM "
                                          "events UNION ALL SELECT time FROM heartbeats) WHERE time <= " +
                                          come));
    // All its times are in the future: it is not younger than the beginning of the live file.
    if (youngest == 0)
      youngest = TRY(number(chain.database(), "SELECT coalesce(min(" + clock.trusted("time_min") + "), " +
                                                  std::to_string(trustedNow()) +
                                                  ") FROM blocks WHERE decisions > 0 AND time_min <= " + come));
    old = config_.retention_age.count() > 0 && youngest < trustedNow() - config_.retention_age.count() * 1000;
    young = youngest >= trustedNow() - config_.retention_min_age.count() * 1000;
  }
  if (!old && config_.retention_size > 0) {
    uint64_t bytes = static_cast<uint64_t>(TRY(chain.database().usedBytes()));
    std::error_code ignored;
    for (const auto& closed : closedFiles(config_.database)) bytes += std::filesystem::file_size(closed, ignored);
    old = bytes > config_.retention_size;
    full_ = old && young && config_.retention_min_age.count() > 0;
    old = old && !full_;
  }
  if (!old || last > deletable) return false;
  const auto alone = RotationLock::alone(config_.database);
  if (!alone) return false;  // somebody is opening the files of this log
  if (announced_ != last) TRY(announce(chain, last, hash, false));
  announced_ = last;
  if (std::remove(file.c_str()) != 0 && errno != ENOENT)
    return Error{file + ": cannot be removed: " + std::strerror(errno)};
  for (const char* part : {"-wal", "-shm", ".lock", ".rotate"}) std::remove((file + part).c_str());
  return true;
}

// False: everything is deleted.
Result<bool> Retention::deleteSlice(ChainWriter& chain) {
  auto& db = chain.database();
  const int64_t end =
      TRY(number(db, "SELECT coalesce(max(last), 0) FROM (SELECT last FROM blocks WHERE last <= " +
                         std::to_string(deleting_) + " ORDER BY last LIMIT " + std::to_string(kSlice) + ")"));
  if (end == 0) return false;
  TRY(db.execute("BEGIN IMMEDIATE"));
  const std::string upto = " <= " + std::to_string(end) + ";";
  // So `before` is what the first remaining record follows.
  auto done =
      db.execute("UPDATE meta SET value = (SELECT hash FROM blocks WHERE last = " + std::to_string(end) +
                 ") WHERE name = 'before'; DELETE FROM blocks WHERE last" + upto + "DELETE FROM rare WHERE seq" + upto +
                 "DELETE FROM events WHERE seq" + upto + "DELETE FROM event_callers WHERE seq" + upto +
                 "DELETE FROM heartbeats WHERE seq" + upto + "DELETE FROM erased WHERE event_seq" + upto);
  if (done) done = db.execute("COMMIT");
  if (!done) {
    (void)db.execute("ROLLBACK");
    return std::move(done).error();
  }
  return end < deleting_;
}

Result<bool> Retention::step(ChainWriter& chain, int64_t deletable) {
  if (config_.retention_age.count() == 0 && config_.retention_size == 0) return false;
  const int64_t now = base::steadyNanos();
  if (looked_at_ != 0 && now - looked_at_ < kLookEveryNanos) return false;
  full_ = false;
  TRY(keepClock(chain));
  if (chain.held()) return false;
  auto more = chain.mayExcuse() ? slice(chain, deletable)
                                : Result<bool>(Error{"the log was signed: deleting needs its key (`audit.key_file`)"});
  if (!more || !more.value()) looked_at_ = now;  // after an error too: it may be temporary
  return more;
}

// Blocks are deleted whole. With few requests, the open block must not keep its first record much longer than allowed.
Status Retention::closeOld(ChainWriter& chain, int64_t older_than) {
  const auto since = chain.openTime();
  if (!since || *since > older_than) return {};
  TRY(chain.begin(0));
  auto done = chain.closeBlock();
  if (done) done = chain.commit();
  if (!done) chain.rollback();
  return done;
}

Result<bool> Retention::slice(ChainWriter& chain, int64_t deletable) {
  if (config_.retention_age.count() > 0)
    TRY(closeOld(chain, trustedNow() - std::min<int64_t>(config_.retention_age.count() / 10, kDayMillis) * 1000));
  if (deleting_ == 0) {
    // While there are closed files, the live one keeps its beginning, which proves that it continues them.
    if (const auto closed = closedFiles(config_.database); !closed.empty())
      return deleteClosed(chain, closed.front(), deletable);
    const int64_t through = TRY(this->through(chain, deletable));
    if (through == 0) return false;
    auto block = TRY(chain.database().prepare("SELECT hash FROM blocks WHERE last = ?"));
    if (!TRY(block.bind(1, through).step())) return false;
    const std::string hash(block.text(0));
    block.reset();
    TRY(announce(chain, through, hash, true));
    deleting_ = through;
  }
  if (!TRY(deleteSlice(chain))) deleting_ = 0;
  return true;
}

bool Retention::wantsNewFile(ChainWriter& chain) const {
  if (config_.rotate_size == 0) return false;
  const auto used = chain.database().usedBytes();
  return used && used.value() > static_cast<int64_t>(config_.rotate_size);
}

}  // namespace yett::audit
