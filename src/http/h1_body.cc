#include "http/h1_body.h"

#include <algorithm>

#include "base/text.h"

namespace yett::http {

// A chunk size of at most 15 hex digits always fits 64 bits; longer ones have been used to overflow parsers.
static constexpr size_t kSizeDigits = 15;
static constexpr size_t kExtensions = 4096;  // bytes per message: nothing uses their contents

void H1BodyReader::start(const Head& head) {
  received_ = trailers_seen_ = extensions_ = 0;
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
  if (digits == 0 && !bytes.empty()) return fail(400, "a chunk without a size");
  size_t end = digits;  // where the CRLF of the line begins
  if (digits < bytes.size() && bytes[digits] != '\r') {
    const State state = readExtensions(bytes, digits, end);
    if (state != State::kData) return state;
  }
  if (bytes.size() < end + 2) return State::kMore;
  if (bytes[end + 1] != '\n') return fail(400, "a chunk size line that does not end with CRLF");
  bytes.remove_prefix(end + 2);
  left_ = size;
  phase_ = size > 0 ? Phase::kChunk : Phase::kTrailers;
  return State::kData;
}

// chunk-ext = *( BWS ";" ... ) (RFC 9112 7.1.1). The forwarded body has none.
H1BodyReader::State H1BodyReader::readExtensions(std::string_view bytes, size_t digits, size_t& end) {
  const size_t mark = bytes.find_first_not_of(" \t", digits);
  if (mark != std::string_view::npos && bytes[mark] != ';')
    return fail(400, "a chunk size line that is not a number with optional extensions");
  end = bytes.find('\n', digits);
  const bool whole = end != std::string_view::npos;
  if (extensions_ + (whole ? end : bytes.size()) - digits > kExtensions)
    return fail(400, "chunk extensions over 4 KiB");
  if (!whole) return State::kMore;
  if (bytes[--end] != '\r' || !isChunkExtensions(bytes.substr(digits, end - digits)))
    return fail(400, "a chunk size line that is not a number with optional extensions");
  extensions_ += end - digits;
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
    if (const auto error = parseTrailers(bytes.substr(0, end), limits, of_response_, head))
      return fail(error.status, error.why);
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
