#include "audit/erase.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "audit/block_eraser.h"
#include "audit/block_source.h"
#include "audit/open_log.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "base/text.h"
#include "store/database.h"

namespace yett::audit {

std::string erasedDigest(std::span<const int64_t> seqs) {
  base::Sha256Hasher hasher;
  for (const int64_t seq : seqs) hasher.update(std::to_string(seq) + "\n");
  const auto hash = hasher.finish();
  return base::hex(base::view(hash));
}

std::string eraseReason(const std::string& why, const std::string& who) {
  return (why.empty() ? std::string("no reason given") : why) + "; asked by " + who;
}

namespace {

constexpr size_t kBlocks = 3;     // blocks rewritten in one step
constexpr size_t kEvents = 1000;  // events of callers blanked in one step

// What one step does to a file.
struct Work {
  size_t taken = 0;
  std::vector<int64_t> events;
  std::vector<std::pair<int64_t, ErasedBlock>> blocks;  // by their ends

  std::vector<int64_t> gone() const {
    std::vector<int64_t> out = events;
    for (const auto& [last, block] : blocks) out.insert(out.end(), block.gone.begin(), block.gone.end());
    std::sort(out.begin(), out.end());
    return out;
  }
};

// Plans a step: the first numbers that fit into it, in whole blocks, and the changes for them.
Result<Work> plan(store::Database& db, std::span<const int64_t> seqs) {
  Work out;
  BlockSource source(db);
  auto event = TRY(db.prepare("SELECT 1 FROM event_callers WHERE seq = ? AND length(salt) > 0"));
  auto block = TRY(db.prepare("SELECT last, first FROM blocks WHERE last >= ? ORDER BY last LIMIT 1"));
  while (out.taken < seqs.size() && out.blocks.size() < kBlocks && out.events.size() < kEvents) {
    block.reset();
    const bool there = TRY(block.bind(1, seqs[out.taken]).step());
    const int64_t last = there ? block.integer(0) : seqs[out.taken];
    std::vector<int64_t> mine;
    for (; out.taken < seqs.size() && seqs[out.taken] <= last; ++out.taken) {
      event.reset();
      if (TRY(event.bind(1, seqs[out.taken]).step())) out.events.push_back(seqs[out.taken]);
      else mine.push_back(seqs[out.taken]);
    }
    if (!there || mine.empty()) continue;
    auto data = TRY(source.body(last));
    if (!data) continue;
    auto erased = TRY(eraseIn(db, *data, TRY(source.before(last)), mine));
    if (!erased.gone.empty()) out.blocks.emplace_back(last, std::move(erased));
  }
  return out;
}

Status write(store::Database& db, const Work& work, int64_t event_seq) {
  auto block = TRY(db.prepare("UPDATE blocks SET filter = ?, body = ? WHERE last = ?"));
  for (const auto& [last, erased] : work.blocks)
    TRY(block.bindBlob(1, erased.filter).bindBlob(2, erased.body).bind(3, last).run());
  auto event = TRY(db.prepare("UPDATE event_callers SET caller = '', about = '', salt = x'' WHERE seq = ?"));
  for (const int64_t seq : work.events) TRY(event.bind(1, seq).run());
  auto mark = TRY(db.prepare("INSERT INTO erased (seq, event_seq) VALUES (?,?)"));
  for (const int64_t seq : work.gone()) TRY(mark.bind(1, seq).bind(2, event_seq).run());
  return {};
}

// The event is in the chain's own file. If the records are in another, the event is on disk before they change.
Result<EraseStep> step(ChainWriter& chain, store::Database* closed, std::span<const int64_t> seqs,
                       const std::string& why) {
  if (closed == nullptr && chain.openSince() <= seqs.back()) {  // the open block may have some of them
    TRY(chain.begin(1));
    auto done = chain.closeBlock();
    if (done) done = chain.commit();
    if (!done) return chain.rollback(), std::move(done).error();
  }
  const Work work = TRY(plan(closed != nullptr ? *closed : chain.database(), seqs));
  const auto gone = work.gone();
  const EraseStep out{work.taken, static_cast<int64_t>(gone.size())};
  if (gone.empty()) return out;
  TRY(chain.begin(1));
  auto done = chain.add(EventRecord{base::wallMicros(), kErasedEvent, why, erasedDigest(gone), out.erased});
  const int64_t event = chain.seq();
  if (done && closed == nullptr) done = write(chain.database(), work, event);
  if (done) done = chain.addCheckpoint();
  if (done) done = chain.commit();
  if (!done) return chain.rollback(), std::move(done).error();
  if (closed == nullptr) return out;
  TRY(closed->execute("BEGIN IMMEDIATE"));
  done = write(*closed, work, event);
  if (done) done = closed->execute("COMMIT");
  if (!done) {
    (void)closed->execute("ROLLBACK");
    return std::move(done).error();
  }
  return out;
}

}  // namespace

Result<EraseStep> eraseSome(ChainWriter& chain, const std::string& file, std::span<const int64_t> seqs,
                            const std::string& why) {
  if (chain.held()) return Error{chain.path() + ": is on hold (`audit.hold`): nothing is erased"};
  if (!chain.mayExcuse()) return Error{chain.path() + ": was signed: erasing needs its key (`audit.key_file`)"};
  if (file == chain.path()) return step(chain, nullptr, seqs, why);
  auto closed = TRY(openClosedLog(file));
  return step(chain, &closed, seqs, why);
}

Result<int64_t> erase(ChainWriter& chain, const std::string& file, std::span<const int64_t> seqs,
                      const std::string& why) {
  int64_t erased = 0;
  for (size_t at = 0; at < seqs.size();) {
    const EraseStep done = TRY(eraseSome(chain, file, seqs.subspan(at), why));
    at += done.taken;
    erased += done.erased;
  }
  return erased;
}

Status eraseTraces(ChainWriter& chain, const std::string& file, bool wait) {
  if (file != chain.path()) {
    auto closed = TRY(openClosedLog(file));
    TRY(closed.truncateWal(wait));
  }
  return chain.database().truncateWal(wait);
}

}  // namespace yett::audit
