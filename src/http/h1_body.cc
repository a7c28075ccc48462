#include "http/h1_body.h"

#include <algorithm>

#include "base/text.h"

namespace yett::http {

// A chunk size of at most 15 hex digits fits 64 bits with room; longer ones are how parsers were overflowed.
static constexpr size_t kSizeDigits = 15;

void H1BodyReader::start(const Head& head) {
  received_ = trailers_seen_ = 0;
  error_ = {};
  left_ = head.content_length;
  switch (head.framing) {
    case Framing::kTunnel:
    case Framing::kNone: phase_ = Phase::kDone; break;
    case Framing::kLength: phase_ = left_ > 0 ? Phase::kLength : Phase::kDone; break;
    case Framing::kChunked: phase_ = Phase::kSize; break;
    case Framing::kUntilClose: phase_ = Phase::kUntilClose; break;
  }
}

H1BodyReader::State H1BodyReader::fail(int status, const char* why) {
  error_ = {status, why};
  return State::kBad;
}

H1BodyReader::State H1BodyReader::readSize(std::string_view& bytes) {
  size_t digits = 0;
  uint64_t size = 0;
  while (digits < bytes.size() && base::hexValue(bytes[digits]) >= 0) {
    size = size * 16 + static_cast<uint64_t>(base::hexValue(bytes[digits]));
    if (++digits > kSizeDigits) return fail(400, "a chunk size with too many digits");
  }
  if (digits < bytes.size() && (digits == 0 || bytes[digits] != '\r'))
    return fail(400, "a chunk size line that is not a number and CRLF");
  if (bytes.size() < digits + 2) return State::kMore;
  if (bytes[digits + 1] != '\n') return fail(400, "a chunk size line that does not end with CRLF");
  bytes.remove_prefix(digits + 2);
  left_ = size;
  phase_ = size > 0 ? Phase::kChunk : Phase::kTrailers;
  return State::kData;
}

H1BodyReader::State H1BodyReader::readTrailers(std::string_view& bytes, const Limits& limits, Head& head) {
  size_t end = 0;
  if (bytes.starts_with("\r\n")) {
    end = 2;
  } else {
    bool bare_lf = false;
    // Searches only the new bytes: a peer may send trailers byte by byte.
    end = findHeadEnd(bytes, trailers_seen_ > 3 ? trailers_seen_ - 3 : 0, bare_lf);
    if (bare_lf) return fail(400, "a trailer line that does not end with CRLF");
    if (end == 0 && bytes.size() > limits.head_bytes) return fail(431, "trailers over the limit");
    if (end == 0) return trailers_seen_ = bytes.size(), State::kMore;
    if (const auto error = parseTrailers(bytes.substr(0, end), limits, head)) return fail(error.status, error.why);
  }
  bytes.remove_prefix(end);
  phase_ = Phase::kDone;
  return State::kDone;
}

H1BodyReader::State H1BodyReader::next(std::string_view& bytes, const Limits& limits, Head& head,
                                       std::string_view& data) {
  data = {};
  for (;;) {
    if (phase_ == Phase::kDone) return State::kDone;
    if (bytes.empty()) return State::kMore;
    switch (phase_) {
      case Phase::kDone: break;
      case Phase::kUntilClose:
        data = bytes;
        bytes = {};
        received_ += data.size();
        return State::kData;
      case Phase::kLength:
      case Phase::kChunk: {
        data = bytes.substr(0, std::min<uint64_t>(left_, bytes.size()));
        bytes.remove_prefix(data.size());
        left_ -= data.size();
        received_ += data.size();
        if (limits.body_bytes > 0 && received_ > limits.body_bytes) return fail(413, "a body over the limit");
        if (left_ == 0) phase_ = phase_ == Phase::kChunk ? Phase::kChunkEnd : Phase::kDone;
        return State::kData;
      }
      case Phase::kChunkEnd:
        if (bytes[0] != '\r' || (bytes.size() > 1 && bytes[1] != '\n'))
          return fail(400, "a chunk that does not end with CRLF");
        if (bytes.size() < 2) return State::kMore;
        bytes.remove_prefix(2);
        phase_ = Phase::kSize;
        break;
      case Phase::kSize: {
        const State state = readSize(bytes);
        if (state != State::kData) return state;
        break;
      }
      case Phase::kTrailers: return readTrailers(bytes, limits, head);
    }
  }
}

}  // namespace yett::http
