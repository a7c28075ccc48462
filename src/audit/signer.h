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
  /// Reads `key_file`; where there is none, nothing is signed.
  static Result<std::unique_ptr<Signer>> open(const AuditConfig& config);

  /// Null: no checkpoints.
  const SigningKey* key() const { return key_.get(); }
  /// The key that signed last, of which `public_key` is the public half: it signs the change to ours. Null where the
  /// configuration names none; an error where it names another.
  Result<std::shared_ptr<const SigningKey>> previous(const std::string& public_key) const;
  std::vector<std::string> trusted(const SigningKey* previous) const;

  /// A checkpoint shall be made, of a chain with so many records that no checkpoint covers.
  bool due(int64_t unsigned_records) const;
  /// Whatever its number and age: something has happened.
  void soon() { soon_ = true; }
  /// A checkpoint is on disk; or the file was opened, and its time begins.
  void restart();

 private:
  explicit Signer(const AuditConfig& config) : config_(config) {}
  const AuditConfig& config_;
  std::shared_ptr<const SigningKey> key_;
  int64_t signed_at_ = 0;  // steady nanoseconds
  bool soon_ = false;
};

/// A checkpoint that stands in the chain of a file, with a good signature.
struct LastCheckpoint {
  int64_t seq;
  std::string signs_next;  ///< the key that signs after it: its own, or the one that it hands over to
};
/// The last one of a file. An error where one that the file names is not in its chain, or not signed.
Result<std::optional<LastCheckpoint>> lastCheckpoint(store::Database& db);
/// The last one that one of these keys signed. One by a stranger, or one that hands over to our key, is what anybody
/// can write.
Result<std::optional<LastCheckpoint>> lastSignedBy(store::Database& db, const std::vector<std::string>& keys);

}  // namespace yett::audit
