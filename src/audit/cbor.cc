#include "audit/cbor.h"

#include <bit>
#include <cstring>

#include "base/check.h"

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

// The head of an item. Its first bytes are in one word, the lowest first, and are stored at once: single bytes would
// have to reach the cache before they could be copied on.
struct Head {
  uint64_t word;
  size_t size;  // 1 to 5; 9: the other bytes are the value's, big-endian
};

Head headOf(unsigned major, uint64_t value) {
  if (value < 24) return {major << 5 | value, 1};
  if (value > 0xffffffff) return {major << 5 | 27, 9};
  const size_t bytes = value <= 0xff ? 1 : value <= 0xffff ? 2 : 4;
  const unsigned info = bytes == 1 ? 24 : bytes == 2 ? 25 : 26;
  return {major << 5 | info | __builtin_bswap64(value) >> (64 - 8 * bytes) << 8, 1 + bytes};
}

// Negative numbers are stored as their complement (RFC 8949, 3.1).
unsigned majorOf(int64_t value) {
  return value >= 0 ? kUnsigned : kNegative;
}
uint64_t sizeOf(int64_t value) {
  return value >= 0 ? static_cast<uint64_t>(value) : ~static_cast<uint64_t>(value);
}

}  // namespace

// `before`: this many bytes of `word` come before the head.
void CborWriter::append(uint64_t word, size_t before, unsigned major, uint64_t value) {
  static_assert(std::endian::native == std::endian::little);
  const Head head = headOf(major, value);
  word |= head.word << (8 * before);
  const bool long_value = head.size == 9;
  out_.append(reinterpret_cast<const char*>(&word), before + (long_value ? 1 : head.size));
  if (!long_value) return;
  const uint64_t rest = __builtin_bswap64(value);
  out_.append(reinterpret_cast<const char*>(&rest), sizeof rest);
}

void CborWriter::head(unsigned major, uint64_t value) {
  append(0, 0, major, value);
}

void CborWriter::entryHead(int key, unsigned major, uint64_t value) {
  YETT_CHECK(key >= 0 && key < 24);
  append(static_cast<uint64_t>(key), 1, major, value);
}

void CborWriter::integer(int64_t value) {
  head(majorOf(value), sizeOf(value));
}

void CborWriter::entry(int key, int64_t value) {
  entryHead(key, majorOf(value), sizeOf(value));
}

void CborWriter::entry(int key, std::string_view value) {
  entryHead(key, isAscii(value) ? kText : kBytes, value.size());
  out_ += value;
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
