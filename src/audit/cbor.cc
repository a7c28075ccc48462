#include "audit/cbor.h"

#include <cstring>

namespace yett::audit {
namespace {

constexpr unsigned kUnsigned = 0;
constexpr unsigned kNegative = 1;
constexpr unsigned kBytes = 2;
constexpr unsigned kText = 3;
constexpr unsigned kMap = 5;

bool isAscii(std::string_view text) {
  uint64_t all = 0;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    all |= word;
  }
  for (; at < text.size(); ++at) all |= static_cast<unsigned char>(text[at]);
  return (all & 0x8080808080808080) == 0;
}

}  // namespace

void CborWriter::head(unsigned major, uint64_t value) {
  int bytes = 0;
  unsigned info = static_cast<unsigned>(value);
  if (value >= 24) {
    bytes = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
    info = bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27;
  }
  if (bytes == 0) return out_.push_back(static_cast<char>(major << 5 | info));
  char encoded[9] = {static_cast<char>(major << 5 | info)};
  for (int i = 1; i <= bytes; ++i) encoded[i] = static_cast<char>(value >> (8 * (bytes - i)));
  out_.append(encoded, static_cast<size_t>(bytes) + 1);
}

void CborWriter::integer(int64_t value) {
  if (value >= 0) head(kUnsigned, static_cast<uint64_t>(value));
  else head(kNegative, ~static_cast<uint64_t>(value));
}

void CborWriter::text(std::string_view value) {
  head(isAscii(value) ? kText : kBytes, value.size());
  out_ += value;
}

uint64_t CborReader::head(unsigned& major) {
  major = 8;
  if (rest_.empty()) return ok_ = false, 0;
  const auto first = static_cast<unsigned char>(rest_[0]);
  const unsigned info = first & 31;
  if (info > 27) return ok_ = false, 0;  // reserved, or of no stated length
  const size_t bytes = info < 24 ? 0 : size_t{1} << (info - 24);
  if (rest_.size() < 1 + bytes) return ok_ = false, 0;
  uint64_t value = bytes == 0 ? info : 0;
  for (size_t i = 1; i <= bytes; ++i) value = value << 8 | static_cast<unsigned char>(rest_[i]);
  const uint64_t least = bytes == 0 ? 0 : bytes == 1 ? 24 : uint64_t{1} << (bytes * 4);
  if (value < least) return ok_ = false, 0;  // not the shortest form
  major = first >> 5;
  rest_.remove_prefix(1 + bytes);
  return value;
}

uint64_t CborReader::map() {
  unsigned major = 0;
  const uint64_t entries = head(major);
  if (major != kMap) ok_ = false;
  return entries;
}

int64_t CborReader::integer() {
  unsigned major = 0;
  const uint64_t value = head(major);
  if ((major != kUnsigned && major != kNegative) || value > INT64_MAX) return ok_ = false, 0;
  return major == kUnsigned ? static_cast<int64_t>(value) : static_cast<int64_t>(~value);
}

std::string_view CborReader::text() {
  unsigned major = 0;
  const uint64_t size = head(major);
  if ((major != kText && major != kBytes) || size > rest_.size()) return ok_ = false, std::string_view();
  const auto out = rest_.substr(0, size);
  if (isAscii(out) != (major == kText)) ok_ = false;
  rest_.remove_prefix(size);
  return out;
}

bool CborReader::nextIsText() const {
  const unsigned major = rest_.empty() ? 8 : static_cast<unsigned char>(rest_[0]) >> 5;
  return major == kText || major == kBytes;
}

}  // namespace yett::audit
