// Settings of the audit log.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/units.h"
#include "policy/recording.h"

namespace yett::audit {

/// Which blocks are decoded and compared with what was hashed, before they are written.
enum class VerifyBlocks { kAll, kSampled };

/// What a start does where an earlier log should be, and is not.
enum class OnMissing { kRefuse, kStartNew };

struct AuditConfig {
  std::string database;                      ///< path
  bool strict = false;                       ///< a request goes on only once its record is on disk
  base::Millis batch_interval{10};           ///< how long a transaction stays open for more,
  size_t queue_records = 65'536;             ///< more than this waiting answers 503
  uint64_t queue_bytes = 64 << 20;           ///< so does more than this,
  base::Millis commit_timeout{5000};         ///< and a disk that takes longer for what waits
  size_t batch_records = 20'000;             ///< unless it has that many records
  std::string key_file = {};                 ///< path of the Ed25519 key that signs checkpoints; "": none are made
  std::string previous_key_file = {};        ///< path of the key before: it signs the change of keys, once
  int64_t checkpoint_records = 10'000;       ///< a checkpoint after so many records,
  base::Millis checkpoint_interval{60'000};  ///< or after so long, if there was any
  base::Millis heartbeat{60'000};            ///< how often what goes on for long is recorded
  base::Millis retention_age{0};             ///< records older than this are deleted; 0: none
  uint64_t retention_size = 0;               ///< bytes in the database above which the oldest are deleted; 0: never
  base::Millis retention_min_age{0};         ///< records younger than this go for no size: then writes are refused
  bool hold = false;                         ///< nothing is deleted or erased; may change while Yett runs
  uint64_t rotate_size = 0;                  ///< bytes in the database above which a new file goes on; 0: never
  VerifyBlocks verify_blocks = VerifyBlocks::kAll;
  OnMissing on_missing = OnMissing::kRefuse;
  std::string instance = {};       ///< what this Yett is called in the log
  std::string spiffe_id = {};      ///< its own; no setting: it is its certificate's
  std::string mask_key_file = {};  ///< path of the key of masked values; "": they cannot be compared
  policy::RecordingConfig recording = {};
  std::vector<uid_t> trusted_owners = {};  ///< whose key files count, beside root's and our own
  bool operator==(const AuditConfig&) const = default;
};

}  // namespace yett::audit
