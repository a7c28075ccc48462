// What a codec needs of the connection below it. Implemented by the proxy's session, an upstream
// connection and the admin's session. All calls on the connection's loop. abort() and finish() may tell the codec of
// the end before they return; no other calls back into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace yett::http {

class Wire {
 public:
  virtual ~Wire() = default;
  virtual void write(std::string_view bytes) = 0;
  /// Bytes written and not yet taken by the kernel.
  virtual size_t buffered() const = 0;
  /// No onBytes() until resumed; bytes that the codec left are offered again then.
  virtual void pauseReading() = 0;
  virtual void resumeReading() = 0;
  /// The codec has had its turn: what it left is offered again after others had theirs. False: there is no such thing
  /// here, and it goes on.
  virtual bool yield() { return false; }
  /// How long a turn is, the shorter the more connections want one.
  virtual int64_t turnNanos() const { return 250'000; }
  /// Calls the codec's onBatchEnd() once the batch of events is over, so that what belongs together leaves together.
  virtual void callAtBatchEnd() = 0;
  /// Of the loop's steady clock.
  virtual int64_t nowMillis() const = 0;
  /// Tells the peer that no more comes, once what is buffered is sent; reading goes on.
  virtual void finishWriting() = 0;
  /// Sends what is buffered, then closes in order; the peer may still be sending (its bytes are thrown away).
  virtual void finish() = 0;
  /// Closes at once so that the peer sees the cut: a reset, no orderly end.
  virtual void abort() = 0;
};

/// A stream counts as writable while less than this waits for the peer.
inline constexpr size_t kWriteMark = 64 << 10;

}  // namespace yett::http
