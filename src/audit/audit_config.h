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

/// What a start does if an earlier log should exist but is missing.
enum class OnMissing { kRefuse, kStartNew };

struct AuditConfig {
  std::string database;                      ///< path
  bool strict = false;                       ///< a request is forwarded only once its record is on disk
  base::Millis batch_interval{10};           ///< how long a transaction stays open for more records
  size_t queue_records = 65'536;             ///< requests get 503 if more records than this are queued,
  uint64_t queue_bytes = 64 << 20;           ///< or more bytes than this,
  base::Millis commit_timeout{5000};         ///< or if writing a batch takes longer than this
  size_t batch_records = 20'000;             ///< with this many records, it is committed at once
  std::string key_file = {};                 ///< path of the Ed25519 key that signs checkpoints; "": no checkpoints
  std::string previous_key_file = {};        ///< path of the previous key, which signs the change of keys once
  int64_t checkpoint_records = 10'000;       ///< a checkpoint after this many records,
  base::Millis checkpoint_interval{60'000};  ///< or after this time, if there were any
  base::Millis heartbeat{60'000};            ///< how often a long stream is recorded
  base::Millis retention_age{0};             ///< records older than this are deleted; 0: none
  uint64_t retention_size = 0;               ///< the oldest are deleted if the database has more bytes; 0: never
  base::Millis retention_min_age{0};         ///< younger records are never deleted for size: writes are refused
  bool hold = false;                         ///< nothing is deleted or erased; may change while Yett runs
  uint64_t rotate_size = 0;                  ///< a new file is started if the database has more bytes; 0: never
  VerifyBlocks verify_blocks = VerifyBlocks::kAll;
  OnMissing on_missing = OnMissing::kRefuse;
  std::string instance = {};       ///< the name of this Yett in the log
  std::string spiffe_id = {};      ///< from its certificate, not a setting
  std::string mask_key_file = {};  ///< path of the key for masked values; "": they cannot be compared
  policy::RecordingConfig recording = {};
  std::vector<uid_t> trusted_owners = {};  ///< whose key files are accepted, besides root's and our own
  bool operator==(const AuditConfig&) const = default;
};

}  // namespace yett::audit
