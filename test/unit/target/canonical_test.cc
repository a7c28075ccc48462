#include "target/canonical.h"

#include <catch2/catch.hpp>
#include <random>

#include "target/path_profile.h"

using yett::target::canonicalize;
using yett::target::Target;

TEST_CASE("canonical target: one reading of every spelling") {
  struct Case {
    const char* raw;
    const char* path;
  };
  const Case cases[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/b/", "/a/b/"},
      {"//a///b", "/a/b"},
      {"/a/./b/../c", "/a/c"},
      {"/a/%2e%2E/b", "/b"},
      {"/a/..", "/"},
      {"/a/.", "/a/"},
      {"/%61dmin", "/admin"},
      {"/%41", "/A"},
      {"/a%2fb", "/a%2Fb"},
      {"/a%5cb", "/a%5Cb"},
      {"/%7euser", "/~user"},
      {"/a%20b", "/a%20b"},
      {"/%e2%82%ac", "/%E2%82%AC"},
      {"/orders%3Apurge", "/orders:purge"},  // otherwise a deny of /orders:purge would miss it
      {"/%40root%2b%24", "/@root+$"},
      {"/a%3bb", "/a%3Bb"},
      {"/a|b", "/a%7Cb"},
      {"/{x}", "/%7Bx%7D"},
      {"/%252e%252e/x", "/%252e%252e/x"},
      {"/a;v=1/b;w", "/a/b"},
      {"/a?x=/../b", "/a"},
      {"/..a/b..", "/..a/b.."},
      {"/a/...", "/a/..."},
      {"*", "*"},
  };
  for (const auto& c : cases) {
    INFO(c.raw);
    Target target;
    REQUIRE(canonicalize(c.raw, target).ok());
    CHECK(target.path == c.path);
  }
}

TEST_CASE("canonical target: ambiguous targets are refused") {
  for (const char* raw :
       {"",           "a",          "http://h/", "/..",       "/../a",  "/a/../../b", "/%2e%2e", "/a#b",
        "/a\\b",      "/a b",       "/a%",       "/a%2",      "/a%zz",  "/%00",       "/a\x01",  "/a\x7f",
        "/a\xc3\xa9", "/..;/admin", "/.;x/a",    "/a/..;v=1", "/a?b#c", "/a?b c",     "/a?\x80", "/%2e%2e;/x"}) {
    INFO(raw);
    Target target;
    CHECK_FALSE(canonicalize(raw, target).ok());
  }
}

TEST_CASE("canonical target: an encoded slash or backslash is kept and marked") {
  Target target;
  REQUIRE(canonicalize("/a%2Fb", target).ok());
  CHECK(target.encoded_slash);
  REQUIRE(canonicalize("/ab", target).ok());
  CHECK_FALSE(target.encoded_slash);
}

TEST_CASE("canonical target: path and query are separate values") {
  Target target;
  REQUIRE(canonicalize("/a?", target).ok());
  CHECK(target.has_query);
  CHECK(target.query.empty());
  REQUIRE(canonicalize("/a?b?c=%2e%2e", target).ok());
  CHECK(target.path == "/a");
  CHECK(target.query == "b?c=%2e%2e");
}

TEST_CASE("canonical target: canonicalizing again changes nothing, over generated targets") {
  std::mt19937 random(7);
  const std::string_view pieces[] = {"/",    "/",   ".", "..", "%2e", "%2F", "%5c", "a", "B", "%41", "%7e", ";",
                                     ";x=1", "%25", "|", "~",  "é",   "%e9", "?",   "=", "&", "+",   ":",   "@"};
  Target once;
  Target twice;
  int accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string raw = "/";
    for (unsigned n = random() % 10; n > 0; --n) raw += pieces[random() % std::size(pieces)];
    if (!canonicalize(raw, once).ok()) continue;
    ++accepted;
    INFO(raw);
    REQUIRE(canonicalize(once.path, twice).ok());
    REQUIRE(twice.path == once.path);
    REQUIRE(once.path.find("/../") == std::string::npos);
    REQUIRE(once.path.find("//") == std::string::npos);
  }
  CHECK(accepted > 10'000);
}

TEST_CASE("canonical target: parameters are kept next to the path, for routes that forward them") {
  const std::pair<const char*, const char*> cases[] = {
      {"/a;v=1/b", "/a;v=1/b"},
      {"/a/b", ""},
      {"/a;v=%41/./c/../b;w", "/a;v=A/b;w"},
      {"/;x/b", ""},
      {"/a;/../b", ""},
      {"/a;v=1;w=2", "/a;v=1;w=2"},
      {"/a;v=%2f", "/a;v=%2F"},
  };
  for (const auto& [raw, parameters] : cases) {
    INFO(raw);
    Target target;
    REQUIRE(canonicalize(raw, target).ok());
    CHECK(target.parameters == parameters);
    CHECK(target.path.find(';') == std::string::npos);
  }
}

TEST_CASE("path profiles: how services read forwarded paths") {
  using yett::target::PathProfile;
  using yett::target::readAs;
  CHECK(readAs(PathProfile::kStrict, "/a%2Fb;v/c") == "/a%2Fb%3Bv/c");
  CHECK(readAs(PathProfile::kNginx, "/x/..%2Fadmin") == "/admin");
  CHECK(readAs(PathProfile::kGo, "/a%2Fb/%C3%A9") == "/a/b/%C3%A9");
  CHECK(readAs(PathProfile::kGo, "/a;v=1/b") == "/a%3Bv=1/b");
  CHECK(readAs(PathProfile::kTomcat, "/a;v=1/b%2Fc;w/") == "/a/b%2Fc/");
  CHECK(readAs(PathProfile::kTomcat, "/x/..;y/admin") == "/admin");
}
