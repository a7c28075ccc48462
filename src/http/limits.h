// Limits on what a peer may send in one message.
#pragma once

#include <cstddef>
#include <cstdint>

namespace yett::http {

struct Limits {
  size_t head_bytes = 64 << 10;          ///< the whole head with its request line: 431 (414 for the line)
  size_t header_count = 100;             ///< fields of a head or a trailer section: 431
  uint64_t body_bytes = 0;               ///< 0: no limit; else 413
  uint64_t body_rate = 240;              ///< least bytes a second of a body that a decision waits for; 0: no limit
  uint32_t streams = 256;                ///< of one HTTP/2 connection at once
  uint32_t stream_window = 256 << 10;    ///< bytes of one stream that may wait in memory for the other side
  uint32_t connection_window = 1 << 20;  ///< the same for all streams of a caller's connection
  bool unix_socket = false;              ///< gRPC sends the socket's path as authority: treat it as localhost
  int64_t stall_millis = 60'000;         ///< how long an HTTP/2 peer may read nothing of a complete response
  size_t discard_bytes = 64 << 10;       ///< of an unread body, so that the connection can be reused
};

}  // namespace yett::http
