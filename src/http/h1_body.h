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
  /// Takes the next piece from `bytes`. kData: `data` is a view of it. kMore: more bytes are needed; `bytes` keeps the
  /// rest. kDone: end of the message. kBad: the body is malformed or over a limit; see error().
  State next(std::string_view& bytes, const Limits& limits, Head& head, std::string_view& data);
  const ParseError& error() const { return error_; }
  bool done() const { return phase_ == Phase::kDone; }
  /// The bytes still to come of a body of known length; UINT64_MAX for other bodies.
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
  size_t trailers_seen_ = 0;  // bytes already searched for their end
  size_t extensions_ = 0;     // bytes of chunk extensions, of the whole message
  ParseError error_;
};

}  // namespace yett::http
