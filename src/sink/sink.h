// A destination for records. Each sink runs on its own thread and may block.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/units.h"
#include "sink/feed.h"
#include "sink/sink_config.h"

namespace yett::sink {

/// The result of sending a batch.
struct Delivery {
  enum class How : uint8_t {
    kTaken,    ///< the receiver has accepted all of it
    kLater,    ///< none counts: the receiver cannot be reached, or is busy; all of it is sent again
    kRefused,  ///< the receiver permanently refuses one of them: they are sent again one by one
  };
  How how = How::kTaken;
  std::string why = {};
  base::Millis retry_after{0};  ///< the delay that the receiver asked for
  bool ok() const { return how == How::kTaken; }
};

class Sink {
 public:
  virtual ~Sink() = default;
  /// Sends the records, in order.
  virtual Delivery send(std::span<const Record> records) = 0;
  /// Checks whether it could take records, without sending one. May block as long as send().
  virtual Status probe() = 0;
  /// How many of these it takes at once, at least one.
  virtual size_t takes(std::span<const Record> records) { return records.size(); }
  /// The position to resume from at the start or after send() failed; `position` is that of the last success. Lower if
  /// an earlier success may have been wrong; higher if the receiver reports what it has.
  virtual int64_t resumeAt(int64_t position) { return position; }
};

/// Checks files and addresses; does not block.
Result<std::unique_ptr<Sink>> makeFileSink(const SinkConfig& config);
Result<std::unique_ptr<Sink>> makeOtlpSink(const SinkConfig& config);
Result<std::unique_ptr<Sink>> makeSyslogSink(const SinkConfig& config);
Result<std::unique_ptr<Sink>> makeKafkaSink(const SinkConfig& config);
Result<std::unique_ptr<Sink>> makeSink(const SinkConfig& config);

}  // namespace yett::sink
