#include "audit/policies.h"

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

}  // namespace yett::audit
