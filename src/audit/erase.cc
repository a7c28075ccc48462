#include "audit/erase.h"

#include "base/clock.h"
#include "base/sha256.h"
#include "base/text.h"

namespace yett::audit {

std::string erasedDigest(std::span<const int64_t> seqs) {
  base::Sha256Hasher hasher;
  for (const int64_t seq : seqs) hasher.update(std::to_string(seq) + "\n");
  const auto hash = hasher.finish();
  return base::hex(base::view(hash));
}

static Status eraseRows(ChainWriter& chain, std::span<const int64_t> seqs, const std::string& why) {
  TRY(chain.add(
      EventRecord{base::wallMicros(), kErasedEvent, why, erasedDigest(seqs), static_cast<int64_t>(seqs.size())}));
  const int64_t event = chain.seq();
  const Layout& columns = layout(Kind::kDecision);
  std::string set = "salt = x''";
  for (size_t i = 0; i < columns.count; ++i) {
    if (columns.columns[i].personal) set += std::string(", ") + columns.columns[i].name + " = ''";
  }
  auto& db = chain.database();
  auto row = TRY(db.prepare("UPDATE decisions SET " + set + " WHERE seq = ?"));
  auto mark = TRY(db.prepare("INSERT INTO erased (seq, event_seq) VALUES (?,?)"));
  auto filter =
      TRY(db.prepare("UPDATE blocks SET filter = x'' WHERE last = (SELECT min(last) FROM blocks WHERE last >= ?)"));
  for (const int64_t seq : seqs) {
    TRY(row.bind(1, seq).run());
    TRY(mark.bind(1, seq).bind(2, event).run());
    TRY(filter.bind(1, seq).run());
  }
  chain.forgetFilter();
  return {};
}

Status erase(ChainWriter& chain, std::span<const int64_t> seqs, const std::string& why) {
  TRY(chain.begin(1));
  auto done = eraseRows(chain, seqs, why);
  if (done) done = chain.commit();
  if (!done) chain.rollback();
  return done;
}

Status eraseTraces(ChainWriter& chain) {
  TRY(chain.begin(1));
  auto signed_now = chain.addCheckpoint();
  if (signed_now) signed_now = chain.commit();
  if (!signed_now) return chain.rollback(), signed_now;
  return chain.database().truncateWal();
}

}  // namespace yett::audit
