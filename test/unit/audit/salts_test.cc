#include "audit/salts.h"

#include <catch2/catch.hpp>
#include <random>

#include "base/text.h"

using namespace yett;

namespace {

const std::string kSeed = "0123456789abcdef";

std::string written(const audit::Salts& salts) {
  std::string out;
  salts.write(out);
  return out;
}

std::vector<std::string> all(audit::Salts& salts, size_t decisions) {
  std::vector<std::string> out;
  for (size_t i = 0; i < decisions; ++i) out.emplace_back(salts.at(i).value());
  return out;
}

}  // namespace

TEST_CASE("salts: AES-128 as in FIPS 197") {
  // The plaintext in appendix C.1 does not fit the counter, so this uses NIST's AESAVS, B.1: key
  // 10a58869d74be5a374cf867cfb473859 and plaintext 0.
  base::Aes128 aes;
  const unsigned char key[] = {0x10, 0xa5, 0x88, 0x69, 0xd7, 0x4b, 0xe5, 0xa3,
                               0x74, 0xcf, 0x86, 0x7c, 0xfb, 0x47, 0x38, 0x59};
  aes.setKey({reinterpret_cast<const char*>(key), sizeof key});
  std::string out(base::kAesBlock, '\0');
  REQUIRE(aes.numbers(0, 1, out.data()));
  CHECK(base::hex(out) == "6d251e6944b051e04eaa6fb4dbf78465");
}

TEST_CASE("salts: they are derived from the seed, in any order and number") {
  audit::Salts one(kSeed);
  const auto salts = all(one, 500);
  audit::Salts other(kSeed);
  for (const size_t i : {499, 3, 31, 32, 33, 64, 0, 498}) CHECK(other.at(i).value() == salts[i]);
  audit::Salts read = audit::Salts::read(written(one), 500).value();
  CHECK(all(read, 500) == salts);
  CHECK(written(one).size() == 17);
  for (size_t i = 1; i < salts.size(); ++i) CHECK(salts[i] != salts[i - 1]);
}

TEST_CASE("salts: removed ones appear nowhere in the bytes, and the others stay") {
  std::mt19937_64 random(1);
  for (const size_t decisions : {1, 31, 32, 33, 500, 2048}) {
    audit::Salts salts(kSeed);
    auto expected = all(salts, decisions);
    std::string group_seed(base::kAesBlock, '\0');
    for (int round = 0; round < 4; ++round) {
      std::vector<size_t> gone;
      for (size_t i = 0; i < decisions; ++i) {
        if (random() % (decisions > 100 ? 200 : 3) == 0) gone.push_back(i);
      }
      REQUIRE(salts.remove(gone, decisions).ok());
      const std::string bytes = written(salts);
      for (const size_t i : gone) {
        if (!expected[i].empty()) CHECK(bytes.find(expected[i]) == std::string::npos);
        expected[i].clear();
        // Nor does anything it could be derived from.
        base::Aes128 aes;
        aes.setKey(kSeed);
        REQUIRE(aes.numbers(i / audit::kSaltGroup, 1, group_seed.data()));
        CHECK(bytes.find(group_seed) == std::string::npos);
      }
      CHECK(bytes.find(kSeed) == std::string::npos);
      CHECK(all(salts, decisions) == expected);
      salts = audit::Salts::read(bytes, decisions).value();
      CHECK(all(salts, decisions) == expected);
      for (size_t size = 0; size < bytes.size(); ++size)
        CHECK_FALSE(audit::Salts::read(bytes.substr(0, size), decisions).ok());
    }
  }
}

TEST_CASE("salts: removing one from a block of 2,048 costs 1.6 KB") {
  audit::Salts salts(kSeed);
  REQUIRE(salts.remove({1000}, 2048).ok());
  CHECK(written(salts).size() < 1700);
}
