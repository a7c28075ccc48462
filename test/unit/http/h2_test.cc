#include <catch2/catch.hpp>

#include "http/h2_flood.h"
#include "support/h2_harness.h"

using namespace yett;
using test::Answering;
using test::H2ClientHarness;
using test::H2ServerHarness;

namespace {

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const std::string kGet =
    "\x82\x87\x84\x41\x01"
    "a";  // GET https / of host a, with HPACK's static table
const std::string kPost =
    "\x83\x87\x84\x41\x01"
    "a";

std::string frame(uint8_t type, uint8_t flags, uint8_t stream, std::string_view payload) {
  std::string out{static_cast<char>(payload.size() >> 16),
                  static_cast<char>(payload.size() >> 8),
                  static_cast<char>(payload.size()),
                  static_cast<char>(type),
                  static_cast<char>(flags),
                  0,
                  0,
                  0,
                  static_cast<char>(stream)};
  return out += payload;
}
const std::string kSettings = frame(4, 0, 0, "");

// The frames of this type in the written bytes.
std::vector<std::string> frames(std::string_view bytes, uint8_t type) {
  std::vector<std::string> out;
  while (bytes.size() >= 9) {
    const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
    const size_t size = at(0) << 16 | at(1) << 8 | at(2);
    if (at(3) == type) out.emplace_back(bytes.substr(0, 9 + size));
    bytes.remove_prefix(std::min(bytes.size(), 9 + size));
  }
  return out;
}

}  // namespace

TEST_CASE("http2 server: requests become heads and bodies, responses become frames") {
  H2ServerHarness h(Answering::kAtEnd);
  h.feed(kPreface + kSettings + frame(1, 5, 1, kGet) + frame(1, 4, 3, kPost) + frame(0, 0, 3, "abc") +
         frame(0, 1, 3, "def"));
  CHECK(h.requests == 2);
  CHECK(h.bodies == "abcdef");
  CHECK(h.ended == 2);
  CHECK(h.wrong.empty());
  CHECK(frames(h.wire.out, 1).size() == 2);  // HEADERS
  CHECK(frames(h.wire.out, 0).size() == 2);  // DATA: the whole body and its end in one frame
  CHECK(frames(h.wire.out, 3).empty());      // no stream was reset
}

TEST_CASE("http2 server: input split at any size gives the same result") {
  const std::string all = kPreface + kSettings + frame(1, 4, 1, kPost) + frame(0, 8, 1, std::string("\2ab\0\0", 5)) +
                          frame(1, 5, 1, std::string("\0\1x\1y", 5)) + frame(1, 5, 3, kGet);
  for (size_t piece = 1; piece < 30; ++piece) {
    H2ServerHarness h(Answering::kAtEnd);
    for (size_t at = 0; at < all.size(); at += piece) h.feed(std::string_view(all).substr(at, piece));
    CHECK(h.requests == 2);
    CHECK(h.bodies == "ab");
    CHECK(h.ended == 2);
    CHECK(h.wrong.empty());
  }
}

TEST_CASE("http2 server: a paused stream returns no window, and gets all received data once it resumes") {
  H2ServerHarness paused(Answering::kNever, true);
  paused.feed(kPreface + kSettings + frame(1, 4, 1, kPost));
  paused.wire.out.clear();
  std::string data;
  for (int i = 0; i < 3; ++i) data += frame(0, 0, 1, std::string(16'000, 'x'));
  paused.feed(data);
  CHECK(paused.bodies.size() == 48'000);  // the harness resumed after each piece of input
  CHECK_FALSE(frames(paused.wire.out, 8).empty());
  CHECK(paused.wrong.empty());  // nothing was delivered while it was paused
  paused.close();
  CHECK(paused.ended == 1);
  CHECK(paused.wrong.empty());
}

TEST_CASE("http2 server: a peer without window is sent nothing, and what is buffered for it is bounded") {
  H2ServerHarness h(Answering::kAtEnd);
  h.feed(kPreface + frame(4, 0, 0, std::string("\0\4\0\0\0\0", 6)) + frame(1, 5, 1, kGet));  // its windows are closed
  CHECK(frames(h.wire.out, 0).empty());
  h.feed(frame(8, 0, 1, std::string("\0\0\0\1", 4)));
  REQUIRE(frames(h.wire.out, 0).size() == 1);
  CHECK(frames(h.wire.out, 0)[0].substr(9) == "o");
  h.feed(frame(8, 0, 1, std::string("\0\0\0\1", 4)));
  CHECK(frames(h.wire.out, 0).size() == 2);
  CHECK(h.ended == 1);
}

TEST_CASE("http2 server: floods exhaust their budget, useful work refills it") {
  http::H2Flood idle(0, 100);
  int left = 0;
  while (idle.charge(http::H2Flood::Kind::kReset, 0)) ++left;
  CHECK(left == 400);  // 200 for cancelling the 100 streams twice, plus a minimum burst of 200
  CHECK(idle.charge(http::H2Flood::Kind::kReset, 1000));  // time refills the budget
  http::H2Flood busy(0, 100);
  for (int i = 0; i < 100'000; ++i) {  // a client that cancels as many calls as it completes
    REQUIRE(busy.charge(http::H2Flood::Kind::kReset, 0));
    busy.completed();
  }
  http::H2Flood stream(0, 100);
  for (int i = 0; i < 100'000; ++i) {  // a client that answers each message with window updates and a ping
    stream.dataSent();
    REQUIRE(stream.charge(http::H2Flood::Kind::kPing, 0));
    REQUIRE(stream.charge(http::H2Flood::Kind::kWindowUpdate, 0));
    REQUIRE(stream.charge(http::H2Flood::Kind::kWindowUpdate, 0));
  }
}

TEST_CASE("http2 server: rapid resets end the connection, and every request is notified") {
  H2ServerHarness h(Answering::kNever);
  std::string all = kPreface + kSettings;
  for (int i = 0; i < 120; ++i) {
    const auto id = static_cast<uint8_t>(1 + 2 * i);
    all += frame(1, 5, id, kGet) + frame(3, 0, id, std::string("\0\0\0\x8", 4));
  }
  for (int i = 0; i < 3 && !h.wire.finished; ++i) h.feed(i == 0 ? all : frame(6, 0, 0, "12345678"));
  CHECK(h.ended == h.requests);
  H2ServerHarness worse(Answering::kNever);
  worse.feed(kPreface + kSettings);
  std::string pings;
  for (int i = 0; i < 3000; ++i) pings += frame(6, 0, 0, "12345678");
  worse.feed(pings);
  CHECK(worse.error == "too many PING frames");
  CHECK(worse.wire.finished);
}

TEST_CASE("http2 client: responses, trailers, refusals and lost connections") {
  H2ClientHarness h(3);
  h.feed(kSettings + frame(1, 4, 1, "\x88") + frame(0, 0, 1, "abc") + frame(1, 5, 1, std::string("\0\1x\1y", 5)));
  CHECK(h.responses == 1);
  CHECK(h.bodies == "abc");
  CHECK(h.ended == 1);
  h.feed(frame(3, 0, 3, std::string("\0\0\0\7", 4)));
  CHECK(h.reset == 1);
  h.close();
  CHECK(h.reset == 2);
  CHECK(h.wrong.empty());
}
