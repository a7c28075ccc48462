#include "block/text_column.h"

#include "base/check.h"
#include "base/hash.h"
#include "block/varint.h"

namespace yett::block {
namespace {

constexpr uint64_t kSeed = 0x636f6c756d6e;
constexpr uint32_t kNumberBits = 17;  // of a slot, for the number of a text + 1
constexpr uint32_t kNumberMask = (1u << kNumberBits) - 1;

// The other bits of a slot are from the hash, so that few texts are compared needlessly.
uint32_t tagOf(uint64_t hash) {
  return static_cast<uint32_t>(hash >> 32) & ~kNumberMask;
}

std::string_view between(const std::string& texts, const std::vector<size_t>& ends, size_t number) {
  const size_t begin = number == 0 ? 0 : ends[number - 1];
  return std::string_view(texts).substr(begin, ends[number] - begin);
}

}  // namespace

std::string_view TextColumn::entry(size_t number) const {
  return between(texts_, ends_, number);
}

size_t TextColumn::find(std::string_view text, uint64_t hash, size_t& slot) const {
  const size_t mask = slots_.size() - 1;
  for (slot = hash & mask;; slot = (slot + 1) & mask) {
    const uint32_t held = slots_[slot];
    if (held == 0) return SIZE_MAX;
    if ((held & ~kNumberMask) == tagOf(hash) && entry((held & kNumberMask) - 1) == text)
      return (held & kNumberMask) - 1;
  }
}

void TextColumn::grow() {
  slots_.assign(slots_.empty() ? 64 : 4 * slots_.size(), 0);
  for (size_t number = 0; number < ends_.size(); ++number) {
    const uint64_t hash = base::hashBytes(entry(number), kSeed);
    size_t slot = 0;
    (void)find(entry(number), hash, slot);
    slots_[slot] = tagOf(hash) | static_cast<uint32_t>(number + 1);
  }
}

size_t TextColumn::add(std::string_view text) {
  if (last_ != SIZE_MAX && entry(last_) == text) {
    places_.push_back(static_cast<uint16_t>(last_ + 1));
    return last_;
  }
  if (2 * (ends_.size() + 1) > slots_.size()) grow();
  const uint64_t hash = base::hashBytes(text, kSeed);
  size_t slot = 0;
  last_ = find(text, hash, slot);
  if (last_ != SIZE_MAX) {
    places_.push_back(static_cast<uint16_t>(last_ + 1));
    return last_;
  }
  YETT_CHECK(ends_.size() < kMaxEntries);
  last_ = ends_.size();
  slots_[slot] = tagOf(hash) | static_cast<uint32_t>(last_ + 1);
  texts_ += text;
  ends_.push_back(texts_.size());
  putVarint(text.size(), lengths_);
  places_.push_back(0);
  return last_;
}

void TextColumn::split(size_t from, std::string& low, std::string& high) const {
  uint16_t all = 0;
  low.resize(places_.size() - from);
  for (size_t i = from; i < places_.size(); ++i) {
    all |= places_[i];
    low[i - from] = static_cast<char>(places_[i]);
  }
  high.clear();
  if (all < 256) return;
  high.resize(low.size());
  for (size_t i = from; i < places_.size(); ++i) high[i - from] = static_cast<char>(places_[i] >> 8);
}

void TextColumn::write(Packer& packer, std::string& out) const {
  std::string low;
  std::string high;
  split(0, low, high);
  for (const std::string_view stream :
       {std::string_view(lengths_), std::string_view(texts_), std::string_view(low), std::string_view(high)})
    packer.pack(stream, out);
}

void TextColumn::writeNew(std::string& out) {
  thread_local std::string low;
  thread_local std::string high;
  split(places_written_, low, high);
  putPlain(std::string_view(lengths_).substr(lengths_written_), out);
  putPlain(std::string_view(texts_).substr(texts_written_), out);
  putPlain(low, out);
  putPlain(high, out);
  lengths_written_ = lengths_.size();
  texts_written_ = texts_.size();
  places_written_ = places_.size();
}

void TextColumn::clear() {
  texts_.clear();
  lengths_.clear();
  ends_.clear();
  places_.clear();
  slots_.assign(slots_.size(), 0);
  last_ = SIZE_MAX;
  texts_written_ = lengths_written_ = places_written_ = 0;
}

std::string_view TextValues::entry(size_t number) const {
  return between(texts_, ends_, number);
}

Status TextValues::take(std::string_view section) {
  std::string kept;
  std::string_view lengths = TRY(takeStream(section, 10 * kMaxRows, kept));
  std::vector<uint64_t> sizes;
  uint64_t all = 0;
  while (!lengths.empty()) {
    uint64_t size = 0;
    if (!takeVarint(lengths, size) || size > kMaxTexts) return Error{"a text length out of range"};
    sizes.push_back(size);
    all += size;
    if (texts_.size() + all > kMaxTexts || ends_.size() + sizes.size() > kMaxRows) return Error{"too many texts"};
  }
  const std::string_view texts = TRY(takeStream(section, kMaxTexts, kept));
  if (texts.size() != all) return Error{"texts that do not have the stated lengths"};
  texts_ += texts;
  for (const uint64_t size : sizes) ends_.push_back((ends_.empty() ? 0 : ends_.back()) + size);
  std::string high_kept;
  const std::string_view low = TRY(takeStream(section, kMaxRows, kept));
  const std::string_view high = TRY(takeStream(section, kMaxRows, high_kept));
  if (!section.empty() || (!high.empty() && high.size() != low.size())) return Error{"mismatched streams of places"};
  if (rows_.size() + low.size() > kMaxRows) return Error{"too many rows"};
  rows_.reserve(rows_.size() + low.size());
  for (size_t i = 0; i < low.size(); ++i) {
    const uint32_t place =
        static_cast<unsigned char>(low[i]) | (high.empty() ? 0u : static_cast<unsigned char>(high[i]) << 8);
    const uint32_t number = place == 0 ? come_++ : place - 1;
    if (number >= come_ || number >= ends_.size()) return Error{"a place without a text"};
    rows_.push_back(number);
    bytes_ += ends_[number] - (number == 0 ? 0 : ends_[number - 1]);
  }
  if (bytes_ > kMaxTexts) return Error{"more text than a block may have"};
  if (come_ != ends_.size()) return Error{"a text that no row uses"};
  return {};
}

}  // namespace yett::block
