// Where records go. Each sink has a thread of its own and may wait.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "sink/feed.h"
#include "sink/sink_config.h"

namespace yett::sink {

class Sink {
 public:
  virtual ~Sink() = default;
  /// Gives the records away, in order. Success: they are in the other's hands, all of them. Failure: none counts; they
  /// will be sent again.
  virtual Status send(std::span<const Record> records) = 0;
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
