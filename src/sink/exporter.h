// Sends the audit log to its sinks. Each sink has its own thread and a position that survives the process. A sink that
// is down lags; it never blocks a request and never loses a record.
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
  /// Called on a sink's thread: the sink cannot be reached, or ("") it can be again.
  using Report = std::function<void(const std::string& sink, const std::string& why)>;
  /// Called on a sink's thread for a record that it permanently refused, once the record is in the dead letter file.
  using Refused = std::function<void(const std::string& sink, int64_t seq, const std::string& why)>;

  /// Starts at the positions that are stored next to the database.
  static Result<std::unique_ptr<Exporter>> start(const std::vector<SinkConfig>& sinks, const std::string& database,
                                                 base::Metrics& metrics, Report report, Refused refused);
  /// Calls finish() with no time for sinks that fail, and waits for all threads.
  ~Exporter();
  /// Sends what is left, for at most this long, and stops. False: a second later, a sink is still waiting for its
  /// receiver; the process should end without it. REQUIRES: nothing more is written to the log.
  bool finish(base::Millis time);
  Exporter(const Exporter&) = delete;

  /// All sinks have the records up to this number, which is below the first record in a dead letter file. Any thread.
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
  std::atomic<int64_t> end_at_{0};  // steady nanoseconds, set when stopping
};

/// The path of the file with a sink's position.
std::string positionFile(const std::string& database, const std::string& sink);

}  // namespace yett::sink
