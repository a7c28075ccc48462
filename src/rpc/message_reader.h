// The messages in the body of a gRPC call: each is prefixed with a flag and its length (gRPC over HTTP/2,
// "Length-Prefixed-Message").
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::rpc {

/// `message` with its prefix, not compressed. REQUIRES: it is smaller than 4 GiB.
std::string framed(std::string_view message);

/// Joins messages that come in pieces.
class MessageReader {
 public:
  /// `most`: bytes of the largest message that is accepted.
  explicit MessageReader(size_t most) : most_(most) {}

  /// Calls `take` for each message that is complete; the view is valid during the call. After an error, nothing more
  /// may be fed: a message that is compressed or too large.
  Status feed(std::string_view bytes, const std::function<void(std::string_view)>& take);
  /// Part of a message has come.
  bool incomplete() const { return !held_.empty(); }

 private:
  const size_t most_;
  std::string held_;  // of the unfinished message, with its prefix
};

}  // namespace yett::rpc
