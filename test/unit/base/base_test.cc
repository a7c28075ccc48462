#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "base/batch_queue.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/uuid7.h"
#include "support/temp_dir.h"

using namespace yett;

TEST_CASE("json: values keep their lines, comments only where allowed") {
  const auto v = json::parse("{ // x\n \"a\": 1,\n \"b\": [true,\n null] }", true);
  REQUIRE(v.ok());
  CHECK(v.value().find("a")->line == 2);
  CHECK(v.value().find("b")->items[1].line == 4);
  CHECK_FALSE(json::parse("[1, /* x */ 2]", false).ok());
  for (const char* bad : {"", "{", "{\"a\":1,\"a\":2}", "{} {}", "[1,]", "{a:1}", "nul", "\"\\x\""}) {
    INFO(bad);
    CHECK_FALSE(json::parse(bad, true).ok());
  }
  CHECK(json::parse("{\n\"a\": }", true).error().message.starts_with("line 2: "));
  CHECK_FALSE(json::parse(std::string(10'000, '['), false).ok());
}

TEST_CASE("json: output is one line of valid JSON, whatever it quotes") {
  std::string out;
  json::ObjectWriter(out)
      .field("a", std::string_view("x\n\"\\\x01\xff\xc3\xa4\x7f", 9))
      .field("n", int64_t{-5})
      .flag("t", true)
      .end();
  CHECK(out == "{\"a\":\"x\\u000a\\\"\\\\\\u0001\xef\xbf\xbd\xc3\xa4\\u007f\",\"n\":-5,\"t\":true}");
  CHECK(json::parse(out, false).ok());
}

TEST_CASE("text: only a close name is suggested") {
  const std::string_view known[] = {"path", "principal", "method"};
  CHECK(base::didYouMean("pathh", known) == ", did you mean `path`?");
  CHECK(base::didYouMean("pricipal", known) == ", did you mean `principal`?");
  CHECK(base::didYouMean("zzzzzz", known).empty());
}

TEST_CASE("text: numbers consist only of digits and must not overflow") {
  uint64_t n = 0;
  CHECK(base::parseUnsigned("18446744073709551615", n));
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "1a", "18446744073709551616", "0x1"})
    CHECK_FALSE(base::parseUnsigned(bad, n));
  CHECK(base::printable(std::string_view("a\x1b[31m\n", 7)) == "a\\x1b[31m\\x0a");
}

TEST_CASE("uuid7: version, variant, time order, uniqueness") {
  base::Uuid7Source source;
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    const auto id = source.next(1'800'000'000'000'000 + i * 1000);
    const std::string text(base::view(id));
    REQUIRE(text[14] == '7');
    REQUIRE(std::string_view("89ab").find(text[19]) != std::string_view::npos);
    REQUIRE(seen.insert(text).second);
    REQUIRE(*seen.rbegin() == text);
  }
}

TEST_CASE("clock and hash: known values") {
  CHECK(base::formatTime(1'800'000'000'000'001) == "2027-01-15T08:00:00.000001Z");
  CHECK(base::sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("metrics: Prometheus text, labels escaped") {
  base::Metrics metrics;
  metrics.counter("yett_x_total", {{"rule", "a\"b\\c\nd"}}, "help").add(3);
  metrics.histogram("yett_h", "help").observeMicros(300);
  const std::string text = metrics.text();
  CHECK(text.find("yett_x_total{rule=\"a\\\"b\\\\c\\nd\"} 3\n") != std::string::npos);
  CHECK(text.find("yett_h_bucket{le=\"0.000250\"} 0\n") != std::string::npos);
  CHECK(text.find("yett_h_bucket{le=\"0.000500\"} 1\n") != std::string::npos);
  CHECK(text.find("yett_h_sum 0.000300\n") != std::string::npos);
}

TEST_CASE("batch queue: nothing is lost or duplicated between many producers and one consumer") {
  base::BatchQueue queue({1 << 20, 1000});
  std::vector<std::thread> producers;
  for (int p = 0; p < 4; ++p) {
    producers.emplace_back([&] {
      for (int i = 0; i < 5000;) i += queue.push("x") ? 1 : 0;
    });
  }
  size_t records = 0;
  size_t bytes = 0;
  std::string batch;
  while (records < 20'000) {
    records += queue.take(batch, std::chrono::milliseconds(100), std::chrono::milliseconds(1));
    bytes += batch.size();
  }
  for (auto& producer : producers) producer.join();
  CHECK(bytes == 20'000);
}

TEST_CASE("file: what is not a regular file, or is too large, is not read") {
  const test::TempDir dir;
  dir.write("a", "text");
  CHECK(base::readFile(dir.path("a")).value() == "text");
  CHECK(base::readFile(dir.path("")).error().message.find("is not a regular file") != std::string::npos);
  CHECK_FALSE(base::readFile(dir.path("a"), 3).ok());
  CHECK_FALSE(base::readFile("/dev/zero").ok());
}
