#include "audit/signer.h"

#include <algorithm>

#include "audit/block_source.h"
#include "audit/key_check.h"
#include "audit/record.h"
#include "audit/record_keys.h"
#include "audit/record_stream.h"
#include "base/clock.h"
#include "base/file_trust.h"

namespace yett::audit {
namespace {

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
    return Error{config_.previous_key_file + " is not the key that signed last: expected " + keyId(public_key)};
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

namespace {

// Checks that a checkpoint is in the chain with these bytes, and is signed by the key that it names.
Status checkInChain(store::Database& db, int64_t seq, std::string_view bytes) {
  const std::string record = "record " + std::to_string(seq);
  RecordStream records(db, seq - 1);
  const auto step = TRY(records.next());
  if (!step || step->record->seq != seq || step->bytes != bytes)
    return Error{record + " of table `rare` is not in the chain: the log was changed, run `yett log verify`"};
  if (!isSigned(*step->fields, TRY(metaBytes(db, "log_id")).value_or(""), seq, base::view(*step->before)))
    return Error{record + " is a checkpoint whose signature is invalid: the log was changed, run `yett log verify`"};
  return {};
}

// The other columns of a row are not trusted: only its bytes count, and only if they are in the chain.
Result<std::optional<LastCheckpoint>> find(store::Database& db, const std::vector<std::string>* keys) {
  store::Statement rows = TRY(db.prepare("SELECT seq, bytes FROM rare ORDER BY seq DESC"));
  Fields fields;
  while (TRY(rows.step())) {
    const int64_t seq = rows.integer(0);
    if (!decode(rows.text(1), fields) || fields.number[LinkKey::kSeq] != seq)
      return Error{"record " + std::to_string(seq) + " is damaged: run `yett log verify`"};
    if (fields.number[LinkKey::kKind] != static_cast<int64_t>(Kind::kCheckpoint)) continue;
    const auto key = fields.text[CheckpointKey::kPublicKey];
    if (keys != nullptr && std::find(keys->begin(), keys->end(), key) == keys->end()) continue;
    TRY(checkInChain(db, seq, rows.text(1)));
    const auto next = fields.text[CheckpointKey::kNextKey];
    return std::optional(LastCheckpoint{seq, std::string(next.empty() ? key : next)});
  }
  return std::optional<LastCheckpoint>();
}

}  // namespace

Result<std::optional<LastCheckpoint>> lastCheckpoint(store::Database& db) {
  return find(db, nullptr);
}

Result<std::optional<LastCheckpoint>> lastSignedBy(store::Database& db, const std::vector<std::string>& keys) {
  return find(db, &keys);
}

}  // namespace yett::audit
