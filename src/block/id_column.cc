#include "block/id_column.h"

#include <array>

#include "block/varint.h"

namespace yett::block {
namespace {

constexpr char kSameTime = 0;
constexpr char kOtherTime = 1;
constexpr char kOther = 2;
constexpr size_t kRandom = 10;  // bytes
constexpr size_t kUuid = 36;    // characters
constexpr int64_t kMaxMillis = int64_t{1} << 48;

// The value of a lower-case hex digit; 0xff: not a digit.
constexpr std::array<unsigned char, 256> kDigitValues = [] {
  std::array<unsigned char, 256> out{};
  out.fill(0xff);
  for (unsigned char i = 0; i < 10; ++i) out['0' + i] = i;
  for (unsigned char i = 0; i < 6; ++i) out['a' + i] = 10 + i;
  return out;
}();

// Where the digits of each byte of a UUID are.
constexpr std::array<unsigned char, 16> kPlaces = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

// "01939a60-75a0-7c59-8a3c-0123456789ab": its milliseconds and the rest. False if it is not such a UUID.
bool parse(std::string_view id, int64_t& millis, std::array<char, kRandom>& random) {
  if (id.size() != kUuid || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' || id[14] != '7')
    return false;
  std::array<unsigned char, 16> bytes{};
  unsigned all = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const unsigned high = kDigitValues[static_cast<unsigned char>(id[kPlaces[i]])];
    const unsigned low = kDigitValues[static_cast<unsigned char>(id[kPlaces[i] + 1u])];
    all |= high | low;
    bytes[i] = static_cast<unsigned char>(high << 4 | low);
  }
  if (all > 15) return false;
  if (bytes[8] >> 6 != 2) return false;
  millis = 0;
  for (size_t i = 0; i < 6; ++i) millis = millis << 8 | bytes[i];
  bytes[6] &= 0x0f;
  bytes[8] &= 0x3f;
  for (size_t i = 0; i < kRandom; ++i) random[i] = static_cast<char>(bytes[6 + i]);
  return true;
}

// The reverse of parse(). False if parse() cannot return these bits.
bool print(int64_t millis, std::string_view random, std::array<char, kUuid>& out) {
  if (millis < 0 || millis >= kMaxMillis || (random[0] & 0xf0) != 0 || (random[2] & 0xc0) != 0) return false;
  std::array<unsigned char, 16> bytes{};
  for (size_t i = 0; i < 6; ++i) bytes[i] = static_cast<unsigned char>(millis >> (40 - 8 * i));
  for (size_t i = 0; i < kRandom; ++i) bytes[6 + i] = static_cast<unsigned char>(random[i]);
  bytes[6] |= 0x70;
  bytes[8] |= 0x80;
  static constexpr char kDigits[] = "0123456789abcdef";
  out.fill('-');
  for (size_t i = 0; i < bytes.size(); ++i) {
    out[kPlaces[i]] = kDigits[bytes[i] >> 4];
    out[kPlaces[i] + 1u] = kDigits[bytes[i] & 15];
  }
  return true;
}

int64_t millisOf(int64_t micros) {
  return micros / 1000;
}

}  // namespace

void IdColumn::add(std::string_view id, int64_t micros) {
  int64_t millis = 0;
  std::array<char, kRandom> random{};
  if (!parse(id, millis, random)) {
    kinds_.bytes += kOther;
    putVarint(id.size(), others_.bytes);
    others_.bytes += id;
    return;
  }
  const int64_t later = millis - millisOf(micros);
  kinds_.bytes += later == 0 ? kSameTime : kOtherTime;
  if (later != 0) putVarint(folded(later), later_.bytes);
  random_.bytes.append(random.data(), random.size());
}

void IdColumn::write(Packer& packer, std::string& out) const {
  packer.pack(kinds_.bytes, out);
  packer.pack(later_.bytes, out);
  putPlain(random_.bytes, out);  // random bytes do not compress
  packer.pack(others_.bytes, out);
}

void IdColumn::writeNew(std::string& out) {
  for (Stream* stream : {&kinds_, &later_, &random_, &others_}) {
    putPlain(std::string_view(stream->bytes).substr(stream->written), out);
    stream->written = stream->bytes.size();
  }
}

void IdColumn::clear() {
  for (Stream* stream : {&kinds_, &later_, &random_, &others_}) *stream = {};
}

Status IdValues::take(std::string_view section, const int64_t* micros, size_t rows) {
  std::array<std::string, 4> kept;
  const std::string_view kinds = TRY(takeStream(section, kMaxRows, kept[0]));
  std::string_view later = TRY(takeStream(section, 10 * kMaxRows, kept[1]));
  std::string_view random = TRY(takeStream(section, kRandom * kMaxRows, kept[2]));
  std::string_view others = TRY(takeStream(section, kMaxTexts, kept[3]));
  if (kinds.size() != rows || rows_.size() + rows > kMaxRows) return Error{"more or fewer ids than times"};
  bytes_ += others.size();
  if (bytes_ > kMaxTexts) return Error{"more ids than a block may have"};
  rows_.reserve(rows_.size() + rows);
  std::string& ids = pieces_.emplace_back();
  ids.reserve(kUuid * rows + others.size());
  std::array<char, kUuid> uuid;
  for (size_t i = 0; i < rows; ++i) {
    const size_t begin = ids.size();
    uint64_t value = 0;
    std::string_view bytes;
    if (kinds[i] == kOther) {
      if (!takeVarint(others, value) || !takeBytes(others, value, bytes)) return Error{"an id that is cut off"};
      ids += bytes;
      rows_.push_back(std::string_view(ids).substr(begin));
      continue;
    }
    if (kinds[i] != kSameTime && kinds[i] != kOtherTime) return Error{"an id of an unknown form"};
    if (kinds[i] == kOtherTime && !takeVarint(later, value)) return Error{"an id without its time"};
    if (!takeBytes(random, kRandom, bytes)) return Error{"an id that is cut off"};
    const auto millis = static_cast<uint64_t>(millisOf(micros[i])) + static_cast<uint64_t>(unfolded(value));
    if (!print(static_cast<int64_t>(millis), bytes, uuid)) return Error{"an id that is not a valid UUID"};
    ids.append(uuid.data(), uuid.size());
    rows_.push_back(std::string_view(ids).substr(begin));
  }
  if (!section.empty() || !later.empty() || !random.empty() || !others.empty()) return Error{"more ids than rows"};
  return {};
}

}  // namespace yett::block
