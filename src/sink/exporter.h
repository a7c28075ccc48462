// Carries the audit log to its sinks: each has a thread, a position that outlives the process, and all the time it
// needs. A sink that is down lags; it never blocks a request and never loses a record.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "base/mutex.h"
#include "sink/sink.h"

namespace yett::sink {

class Exporter {
 public:
  /// Told on a sink's thread: it cannot be reached, or ("") it can again.
  using Report = std::function<void(const std::string& sink, const std::string& why)>;
  /// Told on a sink's thread of a record that it refused for good, once that is in its file of refused records.
  using Refused = std::function<void(const std::string& sink, int64_t seq, const std::string& why)>;

  /// Begins with the positions that are kept beside the database.
  static Result<std::unique_ptr<Exporter>> start(const std::vector<SinkConfig>& sinks, const std::string& database,
                                                 base::Metrics& metrics, Report report, Refused refused);
  /// finish(), without any time for those that fail, and waits for all.
  ~Exporter();
  /// Sends what there is, for so long at the most, and stops. False: a sink still waits for its receiver a second
  /// later; the process should end without it. REQUIRES: nothing more is written to the log.
  bool finish(base::Millis time);
  Exporter(const Exporter&) = delete;

  /// All sinks have the records up to here, or nobody has dealt yet with those that they refused. Any thread.
  int64_t sent() const;

 private:
  struct Carrier;
  Exporter() = default;
  void run(Carrier& carrier);
  Status giveUp(Carrier& carrier, const Record& record, const std::string& why);
  bool sleep(base::Millis time);
  std::vector<std::unique_ptr<Carrier>> carriers_;
  Report report_;
  Refused refused_;
  base::Mutex mutex_;
  base::Condition stop_;
  bool stopping_ YETT_GUARDED_BY(mutex_) = false;
  std::atomic<int64_t> end_at_{0};  // steady nanoseconds, once it is stopping
};

/// Where a sink's position is kept.
std::string positionFile(const std::string& database, const std::string& sink);

}  // namespace yett::sink
