// The salts of a block's decisions. They are not stored but derived: from the block's seed a seed for each group of 32
// decisions, and from that the salts of the group. If a salt must be erased, only its group is written out.
//
//   seed of group g  = AES-128(seed of the block, g as 16 bytes, big-endian)
//   salt n of it     = AES-128(seed of the group, n)
//
// As bytes:
//   0, the block's seed (16)
//   1, then for each group: 0: no salt is left; 1: its seed (16); 2: which are left (4 bytes; the lowest bit of the
//      first byte is the first decision), then 16 bytes for each
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
  /// All salts, for any number of decisions. REQUIRES: 16 bytes.
  explicit Salts(std::string_view seed);
  /// Reads what write() wrote, for this many decisions.
  static Result<Salts> read(std::string_view bytes, size_t decisions);

  /// The salt of the decision with this number in its block; "" if it is gone. Valid until the next call. An error if
  /// the library fails.
  Result<std::string_view> at(size_t decision);
  /// Removes these salts (ascending) from a block of this many decisions; the others stay the same.
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
