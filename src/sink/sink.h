// Where records go. Each sink has a thread of its own and may wait.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/units.h"
#include "sink/feed.h"
#include "sink/sink_config.h"

namespace yett::sink {

/// What became of a batch.
struct Delivery {
  enum class How : uint8_t {
    kTaken,    ///< all of it is in the other's hands
    kLater,    ///< none counts: it cannot be reached, or has no time; all of it is sent again
    kRefused,  ///< it will not take one of them, however often it is sent: they are sent again one by one
  };
  How how = How::kTaken;
  std::string why = {};
  base::Millis retry_after{0};  ///< that the other side asked for
  bool ok() const { return how == How::kTaken; }
};

class Sink {
 public:
  virtual ~Sink() = default;
  /// Gives the records away, in order.
  virtual Delivery send(std::span<const Record> records) = 0;
  /// Whether it could take any, tried without a record. May wait as long as send().
  virtual Status probe() = 0;
  /// How many of these it wants at once, one at the least.
  virtual size_t takes(std::span<const Record> records) { return records.size(); }
  /// The position from which to send again after send() failed or at the start; `position` is that of the last success.
  /// Less, where success may have said too much; more, where the other side tells what it has.
  virtual int64_t resumeAt(int64_t position) { return position; }
};

/// Checks files and addresses, and waits for nothing.
Result<std::unique_ptr<Sink>> makeFileSink(const SinkConfig& config);
Result<std::unique_ptr<Sink>> makeOtlpSink(const SinkConfig& config);
Result<std::unique_ptr<Sink>> makeSyslogSink(const SinkConfig& config);
Result<std::unique_ptr<Sink>> makeKafkaSink(const SinkConfig& config);
Result<std::unique_ptr<Sink>> makeSink(const SinkConfig& config);

}  // namespace yett::sink
