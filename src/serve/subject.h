// What a decision was about and still goes on: an HTTP exchange, a TCP session.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace yett::serve {

class Downstream;

/// Belongs to its loop's thread. One that is used again has another serial then, so that whoever keeps its address for
/// later knows whether it is still the same.
class Subject {
 public:
  virtual ~Subject() = default;
  /// Tells one use from every other of its loop; 0 between two.
  uint64_t serial() const { return serial_; }

  /// Forwarded, or waiting for that, and not ended: a newer policy has a say in it.
  virtual bool underWay() const = 0;
  /// The policy has changed: decides again, and ends where it is allowed no more. REQUIRES: underWay().
  virtual void decideAgain() = 0;
  /// The record that it waits for is on disk, or will not be.
  virtual void onRecord() = 0;
  /// Records how far it has come, where it has gone on for so long.
  virtual void beat(int64_t now_nanos, base::Millis interval) = 0;

  /// Its caller takes nothing of an answer that has begun.
  virtual bool waitsForClient() const = 0;
  /// Milliseconds of the loop's clock.
  virtual int64_t lastProgress() const = 0;
  /// Bytes that are kept for it alone, on both sides; those of an HTTP/1.1 connection to the client are its
  /// connection's.
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
