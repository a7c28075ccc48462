// What a codec needs from the connection below it. Implemented by the proxy's session, by upstream connections and by
// the admin's session. All calls are on the connection's loop. abort() and finish() may notify the codec of the end
// before they return; no other function calls back into the codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace yett::http {

class Wire {
 public:
  virtual ~Wire() = default;
  virtual void write(std::string_view bytes) = 0;
  /// Bytes written but not yet accepted by the kernel.
  virtual size_t buffered() const = 0;
  /// Stops onBytes() until resumed; the bytes that the codec left are then offered again.
  virtual void pauseReading() = 0;
  virtual void resumeReading() = 0;
  /// Ends the codec's turn: the bytes it left are offered again after others had their turn. False: not supported here,
  /// so the codec continues.
  virtual bool yield() { return false; }
  /// The length of a turn; the more connections want one, the shorter it is.
  virtual int64_t turnNanos() const { return 250'000; }
  /// Calls the codec's onBatchEnd() after the current batch of events, so that related pieces are sent together.
  virtual void callAtBatchEnd() = 0;
  /// Milliseconds of the loop's steady clock.
  virtual int64_t nowMillis() const = 0;
  /// Shuts down the write side once everything buffered is sent; reading continues.
  virtual void finishWriting() = 0;
  /// Sends everything buffered, then closes gracefully; bytes that the peer still sends are discarded.
  virtual void finish() = 0;
  /// Closes immediately with a reset, so that the peer sees that the stream was cut off.
  virtual void abort() = 0;
};

/// A stream counts as writable while less than this waits for the peer.
inline constexpr size_t kWriteMark = 64 << 10;

}  // namespace yett::http
