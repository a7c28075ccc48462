// The salts of a block's decisions. They are not stored: a seed makes a seed for each group of 32 decisions, and that
// one the salts of its group. So few bytes keep all of them, and where one has to go, only its group is written out.
//
//   seed of group g  = AES-128(seed of the block, g as 16 bytes, big-endian)
//   salt n of it     = AES-128(seed of the group, n)
//
// As bytes:
//   0, the block's seed (16)
//   1, then for each group: 0 none is left; 1, its seed (16); 2, which are left (4 bytes, the lowest bit of the first
//      is the first decision), 16 bytes of each
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/aes128.h"
#include "base/result.h"

namespace yett::audit {

inline constexpr size_t kSaltGroup = 32;

class Salts {
 public:
  /// All of them, of any number of decisions. REQUIRES: 16 bytes.
  explicit Salts(std::string_view seed);
  /// As write() wrote them, of so many decisions.
  static Result<Salts> read(std::string_view bytes, size_t decisions);

  /// The salt of the decision with this number in its block; "" where it is gone. Valid until the next call. An error
  /// where the library fails.
  Result<std::string_view> at(size_t decision);
  /// Takes these away, in ascending order, of a block of so many decisions; what is left stays as it was.
  Status remove(const std::vector<size_t>& gone, size_t decisions);
  void write(std::string& out) const;

 private:
  struct Group {
    bool derived = true;  // from `seed`; else `salts` has what is left
    std::string seed;
    std::vector<std::string> salts;  // "": gone
  };
  Salts();
  Status fill(size_t group);
  Status splitSeed(size_t decisions);
  Result<std::string> groupSeed(size_t group);

  std::string seed_;  // "": `groups_` has what is left
  std::vector<Group> groups_;
  base::Aes128 aes_;
  size_t filled_ = SIZE_MAX;  // the group that `salts_` is of
  std::array<char, kSaltGroup * base::kAesBlock> salts_{};
};

}  // namespace yett::audit
