#include <catch2/catch.hpp>
#include <random>

#include "target/query.h"

using namespace yett;

TEST_CASE("query index: finds what a scan finds, in the same order, for exact and for folded keys") {
  std::mt19937 random(20261128);
  const auto key = [&] {
    static constexpr std::string_view kAlphabet = "aAbB._[] ";
    std::string out;
    for (size_t n = random() % 5; n > 0; --n) out += kAlphabet[random() % kAlphabet.size()];
    return out;
  };
  size_t found = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> keys;
    for (size_t n = random() % 40; n > 0; --n) keys.push_back(key());
    std::vector<std::string> values;
    for (size_t i = 0; i < keys.size(); ++i) values.push_back(std::to_string(i));
    std::vector<target::QueryPair> pairs;
    for (size_t i = 0; i < keys.size(); ++i) pairs.emplace_back(keys[i], values[i]);
    for (const bool folded : {false, true}) {
      target::QueryIndex index;
      index.build(pairs, folded);
      for (int i = 0; i < 10; ++i) {
        const std::string wanted = key();
        std::vector<std::string_view> scanned;
        for (const auto& pair : pairs) {
          if (folded ? target::maySpell(pair.first, wanted) : pair.first == wanted) scanned.push_back(pair.second);
        }
        std::vector<std::string_view> looked_up;
        index.find(wanted, [&](const target::QueryPair& pair) { looked_up.push_back(pair.second); });
        REQUIRE(looked_up == scanned);
        found += scanned.size();
      }
    }
  }
  CHECK(found > 10'000);
}
