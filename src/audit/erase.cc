#include "audit/erase.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "audit/reader.h"
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

namespace {

// Those that are there and not erased yet.
Result<std::vector<int64_t>> present(store::Database& db, std::span<const int64_t> seqs) {
  const std::string events =
      TRY(hasCallers(db)) ? " UNION ALL SELECT 1 FROM event_callers WHERE seq = ?1 AND length(salt) > 0" : "";
  auto row = TRY(db.prepare("SELECT 1 FROM decisions WHERE seq = ?1 AND length(salt) > 0" + events));
  std::vector<int64_t> out;
  for (const int64_t seq : seqs) {
    row.reset();
    if (TRY(row.bind(1, seq).step())) out.push_back(seq);
  }
  return out;
}

Status eraseRows(store::Database& db, std::span<const int64_t> seqs, int64_t event) {
  const auto update = [&](const Layout& columns) {
    std::string set = "salt = x''";
    for (size_t i = 0; i < columns.count; ++i) {
      if (columns.columns[i].personal) set += std::string(", ") + columns.columns[i].name + " = ''";
    }
    return db.prepare(std::string("UPDATE ") + columns.table + " SET " + set + " WHERE seq = ?");
  };
  std::vector<store::Statement> rows;
  rows.push_back(TRY(update(layout(Kind::kDecision))));
  if (TRY(hasCallers(db))) rows.push_back(TRY(update(callerLayout())));
  auto mark = TRY(db.prepare("INSERT INTO erased (seq, event_seq) VALUES (?,?)"));
  auto filter =
      TRY(db.prepare("UPDATE blocks SET filter = x'' WHERE last = (SELECT min(last) FROM blocks WHERE last >= ?)"));
  for (const int64_t seq : seqs) {
    for (auto& row : rows) TRY(row.bind(1, seq).run());
    TRY(mark.bind(1, seq).bind(2, event).run());
    TRY(filter.bind(1, seq).run());
  }
  return {};
}

// The event stands in the chain's own file; where the records are in another, it is on disk before they are touched.
Result<int64_t> eraseSlice(ChainWriter& chain, store::Database* closed, std::span<const int64_t> slice,
                           const std::string& why) {
  const auto seqs = TRY(present(closed != nullptr ? *closed : chain.database(), slice));
  if (seqs.empty()) return 0;
  TRY(chain.begin(1));
  auto done = chain.add(
      EventRecord{base::wallMicros(), kErasedEvent, why, erasedDigest(seqs), static_cast<int64_t>(seqs.size())});
  const int64_t event = chain.seq();
  if (done && closed == nullptr) {
    done = eraseRows(chain.database(), seqs, event);
    chain.forgetFilter();
  }
  if (done) done = chain.addCheckpoint();
  if (done) done = chain.commit();
  if (!done) return chain.rollback(), std::move(done).error();
  const auto count = static_cast<int64_t>(seqs.size());
  if (closed == nullptr) return count;
  TRY(closed->execute("BEGIN IMMEDIATE"));
  done = eraseRows(*closed, seqs, event);
  if (done) done = closed->execute("COMMIT");
  if (!done) {
    (void)closed->execute("ROLLBACK");
    return std::move(done).error();
  }
  return count;
}

}  // namespace

Result<int64_t> erase(ChainWriter& chain, const std::string& file, std::span<const int64_t> seqs,
                      const std::string& why) {
  if (!chain.mayExcuse()) return Error{chain.path() + ": was signed: without its key nothing is erased"};
  std::optional<store::Database> closed;
  if (file != chain.path()) closed.emplace(TRY(store::Database::open(file, store::Database::Mode::kWrite)));
  int64_t count = 0;
  for (size_t at = 0; at < seqs.size(); at += kEraseSlice)
    count += TRY(
        eraseSlice(chain, closed ? &*closed : nullptr, seqs.subspan(at, std::min(kEraseSlice, seqs.size() - at)), why));
  if (closed) TRY(closed->truncateWal());
  return count;
}

Status eraseTraces(ChainWriter& chain) {
  return chain.database().truncateWal();
}

}  // namespace yett::audit
