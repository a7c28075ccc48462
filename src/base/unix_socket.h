// Prepares the path at which a Unix socket will be bound.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace yett::base {

/// Makes room for a socket at `path` by removing a stale one. It is an error if another process is listening on it, or
/// if something other than a socket is there, which is left untouched.
Status makeRoomForSocket(const std::string& path);

/// While it lives, files and sockets created by this process get no more permissions than `mode`. It sets the umask of
/// the whole process: use it only at startup, on one thread.
class ModeLimit {
 public:
  explicit ModeLimit(mode_t mode);
  ~ModeLimit();
  ModeLimit(const ModeLimit&) = delete;

 private:
  const mode_t before_;
};

}  // namespace yett::base
