#include "http/h2_streams.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "base/recycler.h"

using namespace yett;

namespace {

/// Only its address counts.
class Stream final : public http::H2Stream {
 public:
  Stream() : H2Stream(session(), nullptr) {}

 private:
  static http::H2Session& session() {
    static std::aligned_storage_t<64> place;
    return reinterpret_cast<http::H2Session&>(place);  // never used
  }
};

}  // namespace

TEST_CASE("http/2 streams: the table agrees with a map, whatever the ids") {
  std::mt19937 random(7);
  for (const int32_t step : {1, 2, 8, 1024, 65536}) {
    http::H2Streams streams;
    std::map<int32_t, http::H2Stream*> expected;
    int32_t next = 1;
    for (int i = 0; i < 20'000; ++i) {
      const bool grows = expected.size() < 300 && random() % 5 < 3;
      if (grows) {
        auto stream = std::make_unique<Stream>();
        expected[next] = stream.get();
        streams.add(next, std::move(stream));
        next = next % (INT32_MAX / 2) + step;
      } else if (!expected.empty()) {
        auto at = expected.begin();
        std::advance(at, random() % expected.size());
        CHECK(streams.take(at->first).get() == at->second);
        CHECK(streams.take(at->first) == nullptr);
        CHECK(streams.find(at->first) == nullptr);
        expected.erase(at);
      }
      REQUIRE(streams.size() == expected.size());
      if (expected.empty()) continue;
      CHECK(expected.count(streams.any()) == 1);
      auto at = expected.lower_bound(static_cast<int32_t>(random() % static_cast<uint32_t>(next)));
      if (at != expected.end()) CHECK(streams.find(at->first) == at->second);
    }
    size_t seen = 0;
    streams.each([&](http::H2Stream&) { ++seen; });
    CHECK(seen == expected.size());
    for (const auto& [id, stream] : expected) CHECK(streams.find(id) == stream);
  }
}

TEST_CASE("recycler: blocks of a size are reused, and large ones are not kept") {
  void* one = base::Recycler::take(100);
  REQUIRE(one != nullptr);
  base::Recycler::give(one, 100);
#if !defined(__SANITIZE_ADDRESS__)
  CHECK(base::Recycler::take(120) == one);  // the same step of 64
  base::Recycler::give(one, 120);
#endif
  void* large = base::Recycler::take(1 << 20);
  REQUIRE(large != nullptr);
  base::Recycler::give(large, 1 << 20);
  base::Recycler::give(nullptr, 0);
}
