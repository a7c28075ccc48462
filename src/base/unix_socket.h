// What stands where a Unix socket is to be bound.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace yett::base {

/// Makes room for a socket at `path`: a stale one is removed. Errors: another process serves it, or something else than
/// a socket stands there, which is left alone.
Status makeRoomForSocket(const std::string& path);

/// While it lives, files and sockets that this process makes have no more rights than `mode`. The umask is the
/// process's: for the start, and one thread.
class ModeLimit {
 public:
  explicit ModeLimit(mode_t mode);
  ~ModeLimit();
  ModeLimit(const ModeLimit&) = delete;

 private:
  const mode_t before_;
};

}  // namespace yett::base
