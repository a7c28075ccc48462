#include <catch2/catch.hpp>
#include <fstream>

#include "support/cases.h"
#include "support/h1_harness.h"

using namespace yett;

static std::string resultOf(const std::string& input, size_t piece) {
  test::H1Harness harness;
  harness.feed(input, piece);
  std::string out;
  for (const auto& request : harness.seen) {
    if (!request.complete) continue;
    out += "ok " + request.method + " " + request.target + (request.body.empty() ? "" : " " + request.body) + "\n";
  }
  if (harness.bad_status != 0) out += "refused " + std::to_string(harness.bad_status) + "\n";
  if (!out.empty()) out.pop_back();
  return out;
}

// The number of titles in the file: a case that the reader skips would test nothing.
static size_t titlesIn(const std::string& path) {
  std::ifstream file(path);
  size_t out = 0;
  for (std::string line; std::getline(file, line);) out += line.starts_with("## ") ? 1 : 0;
  return out;
}

TEST_CASE("http requests: the cases, whole and byte by byte") {
  for (const auto& file : test::markdownFiles(YETT_SOURCE_DIR "/test/cases/http")) {
    const auto cases = test::readMarkdownCases(file);
    CHECK(cases.size() == titlesIn(file));
    for (const auto& c : cases) {
      CHECK_FALSE(c.expect.empty());
      INFO(c.file << ": " << c.title);
      CHECK(resultOf(c.input, 0) == c.expect);
      CHECK(resultOf(c.input, 1) == c.expect);
      CHECK(resultOf(c.input, 7) == c.expect);
    }
  }
}

TEST_CASE("http requests: limits answer 414, 431 and 413, however the bytes are split") {
  http::Limits limits;
  limits.head_bytes = 1024;
  limits.header_count = 5;
  limits.body_bytes = 10;
  for (const size_t piece : {0, 1, 700}) {
    test::H1Harness line(limits);
    line.feed("GET /" + std::string(2000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", piece);
    CHECK(line.bad_status == 414);
    test::H1Harness fields(limits);
    fields.feed("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'a') + "\r\n\r\n", piece);
    CHECK(fields.bad_status == 431);
  }
  {
    test::H1Harness h(limits);
    h.feed("GET /" + std::string(2000, 'a'));
    CHECK(h.bad_status == 414);
  }
  {
    test::H1Harness h(limits);
    h.feed("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'a'));
    CHECK(h.bad_status == 431);
  }
  {
    test::H1Harness h(limits);
    h.feed("GET / HTTP/1.1\r\nHost: h\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n\r\n");
    CHECK(h.bad_status == 431);
  }
  {
    test::H1Harness h(limits);
    h.feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n");
    CHECK(h.bad_status == 413);
  }
  {
    test::H1Harness h(limits);
    h.feed("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n");
    CHECK(h.bad_status == 413);
    CHECK(h.finished);
  }
}

TEST_CASE("http requests: a small refused body is discarded, after a large one the connection closes") {
  {
    test::H1Harness h;
    h.answer_early = true;
    h.feed("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    REQUIRE(h.seen.size() == 2);
    CHECK(h.seen[0].body.empty());
    CHECK(h.seen[1].target == "/b");
    CHECK_FALSE(h.finished);
  }
  {
    test::H1Harness h;
    h.answer_early = true;
    h.feed("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
    CHECK(h.finished);
    CHECK(h.out.find("connection: close") != std::string::npos);
  }
  {
    test::H1Harness h;
    h.answer_early = true;
    h.feed("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(h.finished);
  }
}

TEST_CASE("http requests: chunk extensions of a message are limited to 4 KiB in total") {
  const std::string chunk = "1;x=" + std::string(1000, 'a') + "\r\nb\r\n";
  for (const size_t piece : {0, 1}) {
    test::H1Harness h;
    h.feed("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk + chunk +
               "0\r\n\r\n",
           piece);
    REQUIRE(h.seen.size() == 1);
    CHECK(h.seen[0].body == "bbbb");
    test::H1Harness more;
    more.feed(
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk + chunk + chunk,
        piece);
    CHECK(more.bad_status == 400);
  }
}

TEST_CASE("http requests: a final response instead of 100 announces that the connection closes") {
  test::H1Harness h;
  h.feed("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  h.respond();
  CHECK(h.out.find("connection: close") != std::string::npos);
}

TEST_CASE("http requests: a WebSocket handshake may declare that it has no body") {
  test::H1Harness h;
  h.feed("GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(h.seen.size() == 1);
  CHECK(h.seen[0].websocket);
}

TEST_CASE("http requests: a body cut by the client is a reset, never an end") {
  test::H1Harness h;
  h.feed("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  h.eof();
  REQUIRE(h.seen.size() == 1);
  CHECK(h.seen[0].reset);
  CHECK_FALSE(h.seen[0].complete);
}

TEST_CASE("http requests: HTTP/1.0 keeps alive only when asked") {
  test::H1Harness closing;
  closing.feed("GET /a HTTP/1.0\r\nHost: h\r\n\r\n");
  CHECK(closing.finished);
  CHECK(closing.out.starts_with("HTTP/1.1 200"));
  test::H1Harness keeping;
  keeping.feed("GET /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
  CHECK_FALSE(keeping.finished);
  CHECK(keeping.out.find("connection: keep-alive") != std::string::npos);
}
