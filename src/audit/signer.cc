#include "audit/signer.h"

#include <algorithm>

#include "audit/record.h"
#include "audit/record_keys.h"
#include "base/clock.h"
#include "base/file_trust.h"

namespace yett::audit {
namespace {

constexpr const char* kCheckpoints = "SELECT seq, bytes FROM rare WHERE kind = 4 ORDER BY seq DESC";

Result<std::shared_ptr<const SigningKey>> readKey(const std::string& file, const std::vector<uid_t>& owners) {
  auto key = SigningKey::fromPem(TRY(base::readSecretFile(file, owners)));
  if (!key) return Error{file + " " + key.error().message};
  return std::move(key).value();
}

}  // namespace

Result<std::unique_ptr<Signer>> Signer::open(const AuditConfig& config) {
  std::unique_ptr<Signer> out(new Signer(config));
  if (!config.key_file.empty()) out->key_ = TRY(readKey(config.key_file, config.trusted_owners));
  return out;
}

Result<std::shared_ptr<const SigningKey>> Signer::previous(const std::string& public_key) const {
  if (!key_ || config_.previous_key_file.empty()) return std::shared_ptr<const SigningKey>();
  auto out = TRY(readKey(config_.previous_key_file, config_.trusted_owners));
  if (out->publicKey() != public_key)
    return Error{config_.previous_key_file + " is not the key that signed last, " + keyId(public_key)};
  return out;
}

std::vector<std::string> Signer::trusted(const SigningKey* previous) const {
  std::vector<std::string> out;
  if (key_) out.push_back(key_->publicKey());
  if (previous != nullptr) out.push_back(previous->publicKey());
  return out;
}

bool Signer::due(int64_t unsigned_records) const {
  if (!key_ || unsigned_records == 0) return false;
  const int64_t age = (base::steadyNanos() - signed_at_) / 1'000'000;
  return soon_ || unsigned_records >= config_.checkpoint_records || age >= config_.checkpoint_interval.count();
}

void Signer::restart() {
  soon_ = false;
  signed_at_ = base::steadyNanos();
}

Result<std::string> lastKey(store::Database& db) {
  store::Statement last = TRY(db.prepare(kCheckpoints));
  if (!TRY(last.step())) return std::string();
  Fields fields;
  if (!decode(last.text(1), fields))
    return Error{"the last checkpoint, record " + std::to_string(last.integer(0)) + ", is damaged"};
  return std::string(fields.text[CheckpointKey::kNextKey].empty() ? fields.text[CheckpointKey::kPublicKey]
                                                                  : fields.text[CheckpointKey::kNextKey]);
}

Result<int64_t> lastSignedBy(store::Database& db, const std::vector<std::string>& keys) {
  store::Statement rows = TRY(db.prepare(kCheckpoints));
  Fields fields;
  while (TRY(rows.step())) {
    if (decode(rows.text(1), fields) &&
        std::find(keys.begin(), keys.end(), fields.text[CheckpointKey::kPublicKey]) != keys.end())
      return rows.integer(0);
  }
  return 0;
}

}  // namespace yett::audit
