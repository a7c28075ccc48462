// Something that was decided and is still in progress: an HTTP exchange, a TCP session.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace yett::serve {

class Downstream;

/// Why something in flight is decided again.
enum class Again : uint8_t {
  kPolicy,  ///< the policy or what it trusts changed
  kTime,    ///< the `hours` of a rule began or ended
};

/// Belongs to its loop's thread. A reused subject gets a new serial, so that code that has kept its address knows
/// whether it is still the same.
class Subject {
 public:
  virtual ~Subject() = default;
  /// Unique for each use on its loop; 0 between two uses.
  uint64_t serial() const { return serial_; }

  /// Forwarded or waiting for it, and not ended: a newer policy applies to it.
  virtual bool underWay() const = 0;
  /// Decides again, and ends if it is no longer allowed. REQUIRES: underWay().
  virtual void decideAgain(Again why) = 0;
  /// The record that it waits for is on disk, or will not be.
  virtual void onRecord() = 0;
  /// Records its progress if it has lasted for at least `interval`.
  virtual void beat(int64_t now_nanos, base::Millis interval) = 0;

  /// Its caller does not read a response that has begun.
  virtual bool waitsForClient() const = 0;
  /// Milliseconds of the loop's clock.
  virtual int64_t lastProgress() const = 0;
  /// Bytes that are held for it alone, on both sides; those of an HTTP/1.1 connection to the client count for the
  /// connection.
  virtual size_t heldBytes() const = 0;
  /// Of these, what its service has sent.
  virtual size_t heldAtService() const = 0;
  /// Ends it, so that what it holds is freed.
  virtual void cutForMemory() = 0;
  /// Null once its stream is over.
  virtual Downstream* downstream() const = 0;

 protected:
  uint64_t serial_ = 0;

 private:
  friend class Subjects;
  size_t place_ = 0;
};

}  // namespace yett::serve
