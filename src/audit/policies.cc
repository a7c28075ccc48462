#include "audit/policies.h"

#include <iterator>
#include <set>

#include "audit/block_source.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

Status putPolicy(ChainWriter& chain, const std::string& digest, const std::string& document) {
  TRY(chain.add(EventRecord{base::wallMicros(), kPolicyEvent, digest, base::sha256Hex(document), 1}));
  store::Statement row =
      TRY(chain.database().prepare("INSERT OR REPLACE INTO policies (digest, last_seq, document) VALUES (?,?,?)"));
  return row.bind(1, std::string_view(digest)).bind(2, chain.seq()).bind(3, std::string_view(document)).run();
}

Status addPolicy(ChainWriter& chain, const std::string& digest, const std::string& document) {
  TRY(chain.begin(1));
  auto done = putPolicy(chain, digest, document);
  if (done) done = chain.commit();
  if (!done) chain.rollback();
  return done;
}

Result<std::string> readPolicy(store::Database& db, const std::string& digest) {
  store::Statement row = TRY(db.prepare("SELECT document FROM policies WHERE digest = ?"));
  if (!TRY(row.bind(1, std::string_view(digest)).step())) return std::string();
  return std::string(row.text(0));
}

namespace {

constexpr size_t kDigestColumn = 15;  // of layout(Kind::kDecision)

void addDigests(BlockData& data, std::set<std::string>& to) {
  const auto column = data.texts(Kind::kDecision, kDigestColumn);
  if (!column) return;  // damaged: verify says so
  for (size_t i = 0; i < column.value()->entries(); ++i) to.emplace(column.value()->entry(i));
}

Result<Policies> documents(store::Database& db, const std::set<std::string>& digests) {
  Policies out;
  for (const auto& digest : digests) {
    if (auto document = TRY(readPolicy(db, digest)); !document.empty()) out.emplace_back(digest, std::move(document));
  }
  return out;
}

Status addNewest(store::Database& db, int64_t count, std::set<std::string>& to) {
  auto rows = TRY(db.prepare("SELECT digest FROM policies ORDER BY last_seq DESC LIMIT ?"));
  rows.bind(1, count);
  while (TRY(rows.step())) to.emplace(rows.text(0));
  return {};
}

}  // namespace

Result<Policies> policiesToCarry(store::Database& db) {
  std::set<std::string> digests;
  TRY(addNewest(db, 2, digests));
  BlockSource source(db);
  if (auto open = TRY(source.tail())) addDigests(open->data, digests);
  auto last = TRY(db.prepare("SELECT last FROM blocks ORDER BY last DESC LIMIT 1"));
  if (TRY(last.step())) {
    if (auto data = TRY(source.body(last.integer(0)))) addDigests(*data, digests);
  }
  return documents(db, digests);
}

Result<Policies> policiesToKeep(store::Database& db, int64_t through) {
  std::set<std::string> digests;
  TRY(addNewest(db, 1, digests));
  BlockSource source(db);
  auto next = TRY(db.prepare("SELECT last FROM blocks WHERE last > ? ORDER BY last LIMIT 1"));
  if (TRY(next.bind(1, through).step())) {
    if (auto data = TRY(source.body(next.integer(0)))) addDigests(*data, digests);
  } else if (auto open = TRY(source.tail())) {
    addDigests(open->data, digests);
  }
  auto old = TRY(db.prepare("SELECT 1 FROM policies WHERE digest = ? AND last_seq <= ?"));
  for (auto digest = digests.begin(); digest != digests.end();) {
    old.reset();
    digest =
        TRY(old.bind(1, std::string_view(*digest)).bind(2, through).step()) ? std::next(digest) : digests.erase(digest);
  }
  return documents(db, digests);
}

}  // namespace yett::audit
