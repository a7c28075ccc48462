#include "audit/retention.h"

#include <algorithm>

#include "audit/policies.h"
#include "base/clock.h"
#include "base/text.h"

namespace yett::audit {
namespace {

constexpr int64_t kLookEveryNanos = 5'000'000'000;
constexpr int64_t kSlice = 1000;  // links in one transaction

Result<int64_t> number(store::Database& db, const std::string& sql) {
  auto row = TRY(db.prepare(sql));
  return TRY(row.step()) ? row.integer(0) : 0;
}

// The policy that decided what stays first is still needed, though its event goes.
Status keepPolicies(ChainWriter& chain, int64_t through) {
  auto& db = chain.database();
  std::vector<std::pair<std::string, std::string>> kept;
  {
    auto row =
        TRY(db.prepare("SELECT digest, document FROM policies WHERE last_seq <= ?1 AND (digest IN (SELECT "
                       "policy_digest FROM decisions WHERE seq > ?1 ORDER BY seq LIMIT 64) OR digest = (SELECT "
                       "digest FROM policies ORDER BY last_seq DESC LIMIT 1))"));
    row.bind(1, through);
    while (TRY(row.step())) kept.emplace_back(row.text(0), row.text(1));
  }
  for (const auto& [digest, document] : kept) TRY(putPolicy(chain, digest, document));
  auto gone = TRY(db.prepare("DELETE FROM policies WHERE last_seq <= ?"));
  return gone.bind(1, through).run();
}

}  // namespace

// The last link of the blocks that are too old or too many; 0: none.
Result<int64_t> Retention::through(ChainWriter& chain, int64_t deletable) {
  auto& db = chain.database();
  int64_t out = 0;
  if (config_.retention_age.count() > 0) {
    const int64_t since = base::wallMicros() - config_.retention_age.count() * 1000;
    // Not beyond one that is young: the clock may have gone back.
    out = TRY(number(db,
                     "SELECT coalesce(max(last), 0) FROM blocks WHERE last < (SELECT coalesce(min(last), 9e18) FROM "
                     "blocks WHERE time_max >= " +
                         std::to_string(since) + ") AND last <= " + std::to_string(deletable)));
  }
  if (out == 0 && config_.retention_size > 0 && TRY(db.usedBytes()) > static_cast<int64_t>(config_.retention_size))
    out = TRY(number(db, "SELECT coalesce(min(last), 0) FROM blocks WHERE last <= " + std::to_string(deletable)));
  return out;
}

Status Retention::announce(ChainWriter& chain, int64_t through) {
  auto& db = chain.database();
  auto link = TRY(db.prepare("SELECT hash FROM links WHERE seq <= ? ORDER BY seq DESC LIMIT 1"));
  if (!TRY(link.bind(1, through).step())) return Error{"its link is missing"};
  const std::string detail = "through " + std::to_string(through) + " " + base::hex(link.text(0));
  link.reset();
  TRY(chain.begin(80));
  auto done = keepPolicies(chain, through);
  if (done) done = chain.add(EventRecord{base::wallMicros(), kRetentionEvent, config_.database, detail, 1});
  if (done) done = chain.addCheckpoint();
  if (done) done = chain.commit();
  if (!done) chain.rollback();
  return done;
}

// False: all of it is gone.
Result<bool> Retention::deleteSlice(ChainWriter& chain) {
  auto& db = chain.database();
  const int64_t first = TRY(number(db, "SELECT coalesce(min(seq), 0) FROM links"));
  const int64_t end = std::min(first + kSlice - 1, deleting_);
  TRY(db.execute("BEGIN IMMEDIATE"));
  const std::string upto = " <= " + std::to_string(end) + ";";
  // An outcome goes with its own link, not with its decision's.
  const std::string outcomes = "DELETE FROM outcomes WHERE decision_seq <= " + std::to_string(end) + " AND seq" + upto;
  auto done = db.execute("DELETE FROM links WHERE seq" + upto + "DELETE FROM decisions WHERE seq" + upto + outcomes +
                         "DELETE FROM events WHERE seq" + upto + "DELETE FROM heartbeats WHERE seq" + upto +
                         "DELETE FROM erased WHERE seq" + upto + "DELETE FROM blocks WHERE last" + upto);
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
  if (deleting_ == 0) {
    if (looked_at_ != 0 && now - looked_at_ < kLookEveryNanos) return false;
    looked_at_ = now;
    const int64_t through = TRY(this->through(chain, deletable));
    if (through == 0) return false;
    TRY(announce(chain, through));
    deleting_ = through;
  }
  if (!TRY(deleteSlice(chain))) {
    deleting_ = 0;
    looked_at_ = 0;  // there may be another block
  }
  return true;
}

bool Retention::wantsNewFile(ChainWriter& chain) const {
  if (config_.rotate_size == 0) return false;
  const auto used = chain.database().usedBytes();
  return used && used.value() > static_cast<int64_t>(config_.rotate_size);
}

}  // namespace yett::audit
