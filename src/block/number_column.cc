#include "block/number_column.h"

#include <utility>

#include "block/varint.h"

namespace yett::block {
namespace {

// For any two numbers: overflow wraps around.
int64_t distance(int64_t from, int64_t to) {
  return static_cast<int64_t>(static_cast<uint64_t>(to) - static_cast<uint64_t>(from));
}

int64_t plus(int64_t from, int64_t distance) {
  return static_cast<int64_t>(static_cast<uint64_t>(from) + static_cast<uint64_t>(distance));
}

}  // namespace

void NumberColumn::add(int64_t value) {
  if (how_ == Numbers::kValues) return putVarint(folded(value), bytes_);
  putVarint(folded(distance(before_, value)), bytes_);
  before_ = value;
}

void NumberColumn::writeNew(std::string& out) {
  putPlain(std::string_view(bytes_).substr(written_), out);
  written_ = bytes_.size();
}

void NumberColumn::clear() {
  before_ = 0;
  bytes_.clear();
  written_ = 0;
}

Status NumberValues::take(std::string_view section) {
  std::string kept;
  std::string_view bytes = TRY(takeStream(section, 10 * kMaxRows, kept));
  if (!section.empty()) return Error{"more than one stream of numbers"};
  rows_.reserve(rows_.size() + bytes.size() / 2);
  while (!bytes.empty()) {
    uint64_t value = 0;
    if (rows_.size() >= kMaxRows) return Error{"too many rows"};
    if (!takeVarint(bytes, value)) return Error{"a number that is cut off or too large"};
    if (how_ == Numbers::kDistances) before_ = plus(before_, unfolded(value));
    rows_.push_back(how_ == Numbers::kDistances ? before_ : unfolded(value));
  }
  return {};
}

}  // namespace yett::block
