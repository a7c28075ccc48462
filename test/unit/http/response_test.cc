#include <catch2/catch.hpp>

#include "base/clock.h"
#include "http/h1_client.h"
#include "http/h1_parse.h"
#include "support/cases.h"

using namespace yett;

namespace {

// One response through the client codec.
struct ClientHarness final : http::Wire, http::ResponseHandler {
  explicit ClientHarness(std::string_view method = "GET") : client(*this, limits) {
    request.method = method;
    request.target.path = "/";
    client.open(*this);
    client.sendRequest(request, {});
    client.sendEnd({});
  }
  void feed(std::string_view bytes, size_t piece) {
    while (!bytes.empty() && !aborted) {
      const auto part = bytes.substr(0, piece == 0 ? bytes.size() : piece);
      bytes.remove_prefix(part.size());
      held += part;
      held.erase(0, client.onBytes(held));
    }
  }
  void write(std::string_view bytes) override { out += bytes; }
  size_t buffered() const override { return 0; }
  void pauseReading() override {}
  void resumeReading() override {}
  void callAtBatchEnd() override {}
  int64_t nowMillis() const override { return 0; }
  void finishWriting() override {}
  void finish() override {}
  void abort() override { aborted = true; }
  /// Ends the exchange and returns whether the connection can be reused.
  bool reusable() {
    client.close(client);
    return client.idle();
  }
  http::ResponseHead& responseHead() override { return head; }
  void onResponse() override { statuses.push_back(head.status); }
  void onBody(std::string_view data) override { body += data; }
  void onEnd() override { ended = true; }
  void onReset(http::ResetCause, std::string_view detail) override { failure = detail; }
  void onWritable() override {}

  http::Limits limits;
  http::RequestHead request;
  http::ResponseHead head;
  http::H1Client client;
  std::string out, body, failure, held;
  std::vector<int> statuses;
  bool ended = false;
  bool aborted = false;
};

}  // namespace

TEST_CASE("responses: framing of every kind, whole and byte by byte") {
  struct Case {
    const char* method;
    const char* bytes;
    int status;
    const char* body;
    bool ended;
    bool reusable;
  };
  const Case cases[] = {
      {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", true, true},
      {"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", true, true},
      {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n", 200, "abc", true,
       true},
      {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, true},
      {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, "", true, true},
      {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 200, "", true, true},
      {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", true, true},
      {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", true, false},
      {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", true, false},
      {"GET", "HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc", false, false},
      {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", 200, "abc", false, false},
      {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", true, true},
  };
  for (const auto& c : cases) {
    for (const size_t piece : {size_t{0}, size_t{1}}) {
      INFO(c.bytes);
      ClientHarness h(c.method);
      h.feed(c.bytes, piece);
      REQUIRE(h.failure.empty());
      CHECK(h.statuses.back() == c.status);
      CHECK(h.body == c.body);
      CHECK(h.ended == c.ended);
      CHECK(h.reusable() == c.reusable);
    }
  }
}

TEST_CASE("responses: a malformed or ambiguous one is never accepted") {
  for (const char* bytes : {
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
           "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
           "HTTP/2 200 OK\r\n\r\n",
           "HTTP/1.1 99 Odd\r\n\r\n",
           "HTTP/1.1 2000 OK\r\n\r\n",
           "HTTP/1.1 200OK\r\n\r\n",
           "ICY 200 OK\r\n\r\n",
           "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
           "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
           "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX a: a\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
           "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
           "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
           "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
       }) {
    INFO(bytes);
    ClientHarness h;
    h.feed(bytes, 0);
    CHECK_FALSE(h.failure.empty());
    CHECK_FALSE(h.ended);
    CHECK(h.aborted);
  }
}

TEST_CASE("responses: a space before the colon is removed") {  // RFC 9112 5.1: a proxy must
  ClientHarness h;
  h.feed("HTTP/1.1 200 OK\r\nContent-Length : 3\r\nX \t: a\r\n\r\nabc", 0);
  CHECK(h.failure.empty());
  CHECK(h.ended);
  std::string_view value;
  CHECK(h.responseHead().headers.find("x", value) == 1);
  CHECK(value == "a");
}

TEST_CASE("responses: a connection with unsolicited bytes is not reused") {
  ClientHarness h;
  h.feed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb", 0);
  CHECK(h.ended);
  CHECK(h.body == "a");
  CHECK_FALSE(h.reusable());
}

TEST_CASE("responses: a close in the middle is a failure, not an end") {
  for (const char* bytes : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    ClientHarness h;
    h.feed(bytes, 0);
    h.client.onPeerClosed(true, {});
    CHECK_FALSE(h.failure.empty());
    CHECK_FALSE(h.ended);
  }
}

TEST_CASE("responses: a reset does not end a body without a length; an orderly close does") {
  for (const bool orderly : {true, false}) {
    ClientHarness h;
    h.feed("HTTP/1.1 200 OK\r\n\r\nabc", 0);
    h.client.onPeerClosed(orderly, {});
    CHECK(h.ended == orderly);
    CHECK(h.failure.empty() == orderly);
  }
}

TEST_CASE("head: a control character is found anywhere in a value, even among tabs and non-ASCII bytes") {
  const http::Limits limits;
  const auto refused = [&](const std::string& value) {
    http::RequestHead head;
    return bool(http::parseRequest("GET / HTTP/1.1\r\nhost: a\r\nx: a" + value + "a\r\n\r\n", limits, head));
  };
  for (const std::string filler : {"a", "\t", "\x80", "\xff", " ", "~"}) {
    for (size_t size = 1; size < 24; ++size) {
      std::string value;
      for (size_t i = 0; i < size; ++i) value += filler;
      CHECK_FALSE(refused(value));
      for (size_t at = 0; at < size; ++at) {
        for (int c = 0; c < 0x80; c = c == 0x1f ? 0x7f : c + 1) {
          if (c == '\t' || c == '\n') continue;  // a tab is allowed, a line feed ends the line
          std::string bad = value;
          bad[at] = static_cast<char>(c);
          if (!refused(bad)) FAIL("byte " << c << " at " << at << " of " << size);
        }
      }
    }
  }
  // The value is scanned only once: restarting the scan at each tab took a third of a second.
  const int64_t began = base::steadyNanos();
  for (int i = 0; i < 20; ++i) CHECK_FALSE(refused(std::string(60'000, '\t')));
  CHECK(base::steadyNanos() - began < 2'000'000'000);
}

TEST_CASE("llhttp vectors: responses that llhttp refuses are refused") {
  for (const auto& file : test::markdownFiles(YETT_SOURCE_DIR "/../shared/vectors/llhttp/response")) {
    for (const auto& c : test::readMarkdownCases(file)) {
      const bool accepted =
          c.expect.find("error code=") == std::string::npos || c.expect.find("error code=2") != std::string::npos;
      if (accepted && c.meta.find("-lenient-") == std::string::npos) continue;
      INFO(c.file << ": " << c.title << "\n" << c.input);
      ClientHarness h;
      h.feed(c.input, 0);
      CHECK_FALSE((h.ended && h.reusable() && h.held.empty()));
    }
  }
}
