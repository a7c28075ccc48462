// Of values that are too long, the record keeps the size, the first bytes and a digest.
#include "policy/recording.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/base64.h"
#include "base/sha256.h"
#include "policy/attribute_reader.h"
#include "policy/recorded.h"
#include "policy/secret_names.h"
#include "support/random_policy.h"

using namespace yett;

static const std::string kKey = "0123456789abcdef0123456789abcdef";

TEST_CASE("recording: a long value is cut, a masked one keeps its keyed digest") {
  const policy::Recording recording({}, kKey);
  std::string kept;
  const std::string fits(policy::Recording::kLongest, 'a');
  CHECK(recording.shortened(fits, kept) == fits);
  const std::string over = fits + "b";
  CHECK(recording.shortened(over, kept) ==
        "{\"bytes\":4097,\"begins\":\"" + std::string(256, 'a') + "\",\"sha256\":\"" + base::sha256Hex(over) + "\"}");
  CHECK(recording.cut(over, true) == "{\"bytes\":4097," + recording.masked(over).substr(1));
  // Never half a character, and no invalid UTF-8.
  CHECK(recording.cut(std::string(255, 'a') + "\xc3\xa9" + over, false)
            .find("\"begins\":\"" + std::string(255, 'a') + "\"") != std::string::npos);
  CHECK(recording.cut(std::string("\xff", 1) + over, false).find("\"begins\":{\"hex\":\"ff6161") != std::string::npos);
  CHECK(recording.cut("short", false).find("\"begins\":\"short\"") != std::string::npos);
}

TEST_CASE("recording: long paths and long queries are cut separately") {
  std::string kept;
  policy::RecordingConfig clear;
  clear.plain_query = true;
  const policy::Recording plain(clear, kKey);
  CHECK(plain.target("/a?b=c", kept) == "/a?b=c");
  CHECK(plain.target("/a?" + std::string(5000, 'q'), kept).starts_with("/a?{\"hmac\":"));
  const std::string path = "/" + std::string(5000, 'p');
  CHECK(plain.target(path, kept).starts_with("{\"bytes\":5001,\"begins\":\"/ppp"));
  CHECK(std::string(plain.target(path + "?x=1", kept)).ends_with("}?x=1"));
}

TEST_CASE("recording: what is recorded of a request has a maximum size, whatever it contains") {
  test::RequestText asked{"GET", "/", "a", "", "spiffe://example.org/x", "127.0.0.1", {}};
  for (int i = 0; i < 250; ++i) asked.headers.emplace_back("x-" + std::to_string(i), std::string(4000, '"'));
  for (int i = 0; i < 4000; ++i) asked.query += "k=v&";
  const test::OwnedRequest request(asked);
  policy::AttributeReader reader;
  for (const bool masked : {false, true}) {
    reader.reset(request.check);
    for (int i = 0; i < 250; ++i) reader.read(policy::Attr::kHeader, "x-" + std::to_string(i));
    reader.read(policy::Attr::kQueryList, "k");
    policy::RecordingConfig config;
    config.plain_query = !masked;
    const std::string reads = reader.readsJson(policy::Recording(config, kKey));
    CHECK(reads.size() < (96 << 10));
    CHECK(reads.find("\"queries.k\":{\"values\":4000,") != std::string::npos);
    // A value that was cut is unknown to a replay: neither present nor absent.
    policy::Recorded recorded;
    REQUIRE(policy::parseReads(reads, recorded));
    CHECK(recorded.find(policy::Attr::kHeader, "x-0") != nullptr);
    CHECK(recorded.find(policy::Attr::kHeader, "x-249") == nullptr);
    CHECK(recorded.find(policy::Attr::kQueryList, "k") == nullptr);
  }
}

TEST_CASE("recording: a token is known by its form, wherever it stands and however its header is written") {
  const auto token = [](std::string_view header, const std::string& rest) {
    std::string out = base::toBase64(header);
    out.resize(out.find_last_not_of('=') + 1);
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
    return out + rest;
  };
  for (const char* header :
       {R"({"alg":"RS256"})", R"({ "alg": "RS256" })", "{\n  \"alg\": \"RS256\"}", "\t\r\n {\"alg\":\"none\"}"}) {
    INFO(header);
    CHECK(policy::holdsJwt(token(header, ".eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl")));
    CHECK(policy::holdsJwt("a=b; t=\"" + token(header, ".eyJzdWIiOiJqYW5lIn0.") + "\""));   // without a signature
    CHECK(policy::holdsJwt("https://a.example/?t=" + token(header, "..aXY.dGV4dA.dGFn")));  // encrypted: RFC 7516
  }
  CHECK(policy::holdsJwt(token(std::string(100, ' ') + R"({"alg":"RS256"})", ".e30.c2ln")));
  CHECK(policy::holdsJwt("prefix-eyJhbGciOiJSUzI1NiJ9.e30.c2ln"));
  for (const char* text : {"", ".", "..", "a.b.c", "orders.example.org", "10.0.0.1", "eyJhbGciOiJSUzI1NiJ9",
                           "eyJhbGc.e30", "1.2.3.4.5", "v1.2.3", "com.example.Service/Method"}) {
    INFO(text);
    CHECK_FALSE(policy::holdsJwt(text));
  }
}

TEST_CASE(
    "recording: the matcher `jwt` names a provider, which is no credential; a value that looks like one still is") {
  const auto same = [](const std::string& line) { return policy::withoutCredentials(line) == line; };
  CHECK(same(R"(allow "a" { jwt = "corp", not_jwt = { "svid", "partner" } })"));
  CHECK(same(R"({ "allow": "a", "jwt": "corp" })"));
  CHECK_FALSE(same(R"(allow "a" { jwt = "eyJhbGciOiJSUzI1NiJ9" })"));
  CHECK_FALSE(same(R"(header = { ["x-jwt"] = "corp" })"));
}
