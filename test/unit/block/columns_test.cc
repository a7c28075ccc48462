#include <catch2/catch.hpp>
#include <random>

#include "base/uuid7.h"
#include "block/id_column.h"
#include "block/number_column.h"
#include "block/text_column.h"
#include "block/varint.h"

using namespace yett;
using Random = std::mt19937_64;

namespace {

int64_t anyNumber(Random& random) {
  switch (random() % 5) {
    case 0: return 0;
    case 1: return static_cast<int64_t>(random() % 1000);
    case 2: return INT64_MIN + static_cast<int64_t>(random() % 3);
    case 3: return INT64_MAX - static_cast<int64_t>(random() % 3);
    default: return static_cast<int64_t>(random());
  }
}

// Random texts: some repeat, some are empty, long, or arbitrary bytes.
std::string anyText(Random& random, size_t different) {
  std::string out = std::to_string(random() % different);
  switch (random() % 8) {
    case 0: return "";
    case 1: return out + std::string(random() % 3000, 'x');
    case 2: return out + std::string(1, '\0') + "\xff\xfe";
    default: return out;
  }
}

// Writes the values as a whole and in pieces of several sizes; they must read back unchanged.
template <typename Column, typename Values, typename Add, typename Same>
void roundTrip(Column& column, Values whole, Values pieces, size_t rows, Random& random, Add add, Same same) {
  block::Packer packer;
  for (size_t i = 0; i < rows; ++i) {
    add(i);
    if (random() % 7 != 0) continue;
    std::string piece;
    column.writeNew(piece);
    REQUIRE(pieces.take(piece).ok());
  }
  std::string piece;
  column.writeNew(piece);
  REQUIRE(pieces.take(piece).ok());
  std::string packed;
  column.write(packer, packed);
  REQUIRE(whole.take(packed).ok());
  REQUIRE(whole.rows().size() == rows);
  REQUIRE(pieces.rows().size() == rows);
  for (size_t i = 0; i < rows; ++i) {
    same(whole, i);
    same(pieces, i);
  }
  // A truncated column is refused, and nothing is read beyond its end.
  for (size_t size = 0; size < packed.size(); size += 1 + packed.size() / 50) {
    Values cut;
    CHECK_FALSE(cut.take(std::string_view(packed).substr(0, size)).ok());
  }
}

}  // namespace

TEST_CASE("block: varints of all sizes, and invalid ones") {
  for (const uint64_t value : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 62, UINT64_MAX}) {
    std::string bytes;
    block::putVarint(value, bytes);
    for (size_t size = 0; size <= bytes.size(); ++size) {
      std::string_view from(bytes.data(), size);
      uint64_t read = 0;
      CHECK(block::takeVarint(from, read) == (size == bytes.size()));
      if (size == bytes.size()) CHECK(read == value);
    }
  }
  uint64_t read = 0;
  for (const std::string& bytes : {std::string(10, '\xff'), std::string(9, '\xff') + "\x02", std::string(11, '\x80')}) {
    std::string_view from(bytes);
    CHECK_FALSE(block::takeVarint(from, read));
  }
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1}, INT64_MIN, INT64_MAX})
    CHECK(block::unfolded(block::folded(value)) == value);
  CHECK(block::folded(-1) == 1);
}

TEST_CASE("block: columns of numbers read back unchanged") {
  Random random(1);
  for (size_t rows : {0, 1, 2, 300, 5000}) {
    for (const auto how : {block::Numbers::kValues, block::Numbers::kDistances}) {
      std::vector<int64_t> values;
      block::NumberColumn column(how);
      roundTrip(
          column, block::NumberValues(how), block::NumberValues(how), rows, random,
          [&](size_t) { column.add(values.emplace_back(anyNumber(random))); },
          [&](const block::NumberValues& read, size_t i) { REQUIRE(read.rows()[i] == values[i]); });
    }
  }
}

TEST_CASE("block: columns of texts read back unchanged") {
  Random random(2);
  for (size_t rows : {0, 1, 2, 300, 5000}) {
    for (const size_t different : {1, 20, 200, 100'000}) {
      std::vector<std::string> values;
      block::TextColumn column;
      roundTrip(
          column, block::TextValues(), block::TextValues(), rows, random,
          [&](size_t) {
            const size_t number = column.add(values.emplace_back(anyText(random, different)));
            REQUIRE(column.entry(number) == values.back());
          },
          [&](const block::TextValues& read, size_t i) { REQUIRE(read.text(i) == values[i]); });
    }
  }
}

TEST_CASE("block: a column is empty again after clear()") {
  Random random(3);
  block::TextColumn column;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) (void)column.add(anyText(random, 300));
    column.clear();
    CHECK(column.entries() == 0);
    CHECK(column.add("a") == 0);
    CHECK(column.add("b") == 1);
    CHECK(column.add("a") == 0);
    std::string written;
    column.writeNew(written);
    block::TextValues read;
    REQUIRE(read.take(written).ok());
    CHECK(read.text(2) == "a");
    column.clear();
  }
}

TEST_CASE("block: ids read back unchanged, whether UUIDs or not") {
  Random random(4);
  base::Uuid7Source source;
  for (size_t rows : {0, 1, 300, 3000}) {
    std::vector<std::string> ids;
    std::vector<int64_t> times;
    block::IdColumn column;
    block::Packer packer;
    block::IdValues pieces;
    size_t piece_rows = 0;
    const auto writeNew = [&] {
      std::string piece;
      column.writeNew(piece);
      REQUIRE(pieces.take(piece, times.data() + piece_rows, times.size() - piece_rows).ok());
      piece_rows = times.size();
    };
    for (size_t i = 0; i < rows; ++i) {
      const int64_t time = 1'790'000'000'000'000 + static_cast<int64_t>(random() % 1'000'000'000);
      std::string id(base::view(source.next(random() % 3 == 0 ? time + 5000 : time)));
      switch (random() % 12) {
        case 0: id = anyText(random, 100); break;
        case 1: id[random() % id.size()] = static_cast<char>(random()); break;  // usually no longer a UUID
        case 2: id[20] = 'A'; break;
        default: break;
      }
      times.push_back(random() % 50 == 0 ? anyNumber(random) : time);
      column.add(ids.emplace_back(id), times.back());
      if (random() % 9 == 0) writeNew();
    }
    writeNew();
    std::string packed;
    column.write(packer, packed);
    block::IdValues whole;
    REQUIRE(whole.take(packed, times.data(), times.size()).ok());
    for (size_t i = 0; i < rows; ++i) {
      REQUIRE(whole.text(i) == ids[i]);
      REQUIRE(pieces.text(i) == ids[i]);
    }
    for (size_t size = 0; size < packed.size(); size += 1 + packed.size() / 50) {
      block::IdValues cut;
      CHECK_FALSE(cut.take(std::string_view(packed).substr(0, size), times.data(), times.size()).ok());
    }
  }
}

TEST_CASE("block: a stream that claims to be huge is refused before memory is allocated for it") {
  std::string stream(1, '\x03');  // one byte, repeated
  block::putVarint(uint64_t{1} << 40, stream);
  stream += 'x';
  std::string kept;
  std::string_view from(stream);
  CHECK_FALSE(block::takeStream(from, block::kMaxTexts, kept).ok());
  CHECK(kept.capacity() < 100);
}
