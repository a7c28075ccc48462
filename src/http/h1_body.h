// Reads one HTTP/1.1 body off a connection's bytes (RFC 9112 6 and 7).
#pragma once

#include <string>
#include <string_view>

#include "http/h1_parse.h"

namespace yett::http {

class H1BodyReader {
 public:
  enum class State { kMore, kData, kDone, kBad };
  explicit H1BodyReader(bool of_response) : of_response_(of_response) {}

  void start(const Head& head);
  /// Takes the next piece off `bytes`: kData with a view in `data`; kMore when it needs more bytes than there are (and
  /// leaves them); kDone at the end of the message; kBad with error() when it is no chunked body.
  State next(std::string_view& bytes, const Limits& limits, Head& head, std::string_view& data);
  const ParseError& error() const { return error_; }
  bool done() const { return phase_ == Phase::kDone; }
  /// What is still to come of a body of known length; a chunked one says "more than any limit".
  uint64_t remaining() const { return phase_ == Phase::kDone ? 0 : phase_ == Phase::kLength ? left_ : UINT64_MAX; }
  bool untilClose() const { return phase_ == Phase::kUntilClose; }
  uint64_t received() const { return received_; }

 private:
  enum class Phase { kDone, kLength, kUntilClose, kSize, kChunk, kChunkEnd, kTrailers };
  State fail(int status, const char* why);
  State readSize(std::string_view& bytes);
  State readExtensions(std::string_view bytes, size_t digits, size_t& end);
  State readTrailers(std::string_view& bytes, const Limits& limits, Head& head);

  const bool of_response_;
  Phase phase_ = Phase::kDone;
  uint64_t left_ = 0;
  uint64_t received_ = 0;
  size_t trailers_seen_ = 0;  // bytes of them in which there is no end
  size_t extensions_ = 0;     // bytes of chunk extensions, of the whole message
  ParseError error_;
};

}  // namespace yett::http
