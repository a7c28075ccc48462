// Who signs the chain, and when. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_config.h"
#include "audit/checkpoint.h"
#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

class Signer {
 public:
  /// Reads `key_file`; if none is configured, nothing is signed.
  static Result<std::unique_ptr<Signer>> open(const AuditConfig& config);

  /// Null: no checkpoints.
  const SigningKey* key() const { return key_.get(); }
  /// The key that signed last, with this public key: it signs the change to ours. Null if the configuration names none;
  /// an error if it names another.
  Result<std::shared_ptr<const SigningKey>> previous(const std::string& public_key) const;
  std::vector<std::string> trusted(const SigningKey* previous) const;

  /// Whether a checkpoint is due, in a chain with this many records that no checkpoint covers.
  bool due(int64_t unsigned_records) const;
  /// Makes one due, whatever the number and age of records.
  void soon() { soon_ = true; }
  /// Restarts the interval: a checkpoint is on disk, or the file was opened.
  void restart();

 private:
  explicit Signer(const AuditConfig& config) : config_(config) {}
  const AuditConfig& config_;
  std::shared_ptr<const SigningKey> key_;
  int64_t signed_at_ = 0;  // steady nanoseconds
  bool soon_ = false;
};

/// A checkpoint in the chain of a file, with a valid signature.
struct LastCheckpoint {
  int64_t seq;
  std::string signs_next;  ///< the key that signs after it: its own, or the one that it hands over to
};
/// The last checkpoint of a file. An error if table `rare` has one that is not in the chain, or not signed.
Result<std::optional<LastCheckpoint>> lastCheckpoint(store::Database& db);
/// The last one that one of these keys signed. Anybody can write a checkpoint with an unknown key, even one that hands
/// over to our key.
Result<std::optional<LastCheckpoint>> lastSignedBy(store::Database& db, const std::vector<std::string>& keys);

}  // namespace yett::audit
