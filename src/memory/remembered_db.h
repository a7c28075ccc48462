// Remembered results of conditions on disk, so that a restart is warm. A separate file, written by a background thread.
// Each row carries an HMAC-SHA256 (RFC 2104) with a key that is stored elsewhere, over its origin (policy digest with
// budget, and this exact program), engine, key and value: rows that somebody inserted, changed or moved are ignored.
// Losing the file costs only time. Any thread.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "base/batch_queue.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "memory/cache_config.h"
#include "policy/rule_engine.h"
#include "store/database.h"

namespace yett::memory {

class RememberedDb {
 public:
  /// Opens or creates the database. Errors: the key file, the folder, a file that is damaged or not ours.
  static Result<std::unique_ptr<RememberedDb>> open(const CacheConfig& config, base::Metrics& metrics);
  /// Writes the queued rows, then closes.
  ~RememberedDb();
  RememberedDb(const RememberedDb&) = delete;

  /// What the evaluators of a policy set load from and write to. Must not be used after this object is destroyed.
  std::shared_ptr<const policy::RememberedStore> storeFor(const std::string& policy_digest);
  /// Deletes the rows of all sets but this one, which is in force.
  void dropOthers(const std::string& policy_digest);

 private:
  RememberedDb(const CacheConfig& config, std::string key, base::Metrics& metrics);
  Status prepare() YETT_REQUIRES(mutex_);
  Status checkOurs() YETT_REQUIRES(mutex_);
  void run();
  Status write(std::string_view batch);
  void load(const std::string& context, std::string_view engine,
            const std::function<void(std::string_view, std::string_view)>& each);
  std::string proof(std::string_view context, std::string_view engine, std::string_view key,
                    std::string_view value) const;

  const CacheConfig config_;
  const std::string key_;
  const std::string program_;  // digest of the running program
  base::BatchQueue queue_;
  base::Counter& refused_;
  base::Mutex mutex_;
  std::unique_ptr<store::Database> db_ YETT_PT_GUARDED_BY(mutex_);
  std::thread thread_;
};

/// The secret in a key file: 32 bytes or more, without trailing line ends. `path` names the file in errors.
Result<std::string> usableCacheKey(std::string text, const std::string& path);

/// SHA-256 of the running program's file: other code may decide differently.
std::string programDigest();

}  // namespace yett::memory
