#include <catch2/catch.hpp>

#include "target/cidr.h"
#include "target/host.h"
#include "target/query.h"
#include "target/segment_pattern.h"

using namespace yett::target;

TEST_CASE("segment pattern: what each form matches") {
  struct Case {
    const char* pattern;
    const char* path;
    bool strict;
    bool loose;
  };
  const Case cases[] = {
      {"/orders", "/orders", true, true},
      {"/orders", "/orders/", false, true},
      {"/orders/", "/orders/", true, true},
      {"/orders/", "/orders", false, true},
      {"/orders", "/Orders", false, false},
      {"/orders/{id}", "/orders/42", true, true},
      {"/orders/{id}", "/orders/", false, false},
      {"/orders/{id}", "/orders/42/items", false, false},
      {"/orders/*/items", "/orders/42/items", true, true},
      {"/debug/**", "/debug", true, true},
      {"/debug/**", "/debug/", true, true},
      {"/debug/**", "/debug/a/b", true, true},
      {"/debug/**", "/debugger", false, false},
      {"/**", "/", true, true},
      {"/**", "/x/y", true, true},
      {"/**", "*", false, true},
      {"/", "/", true, true},
      {"/%61", "/a", true, true},
      {"/a/{x}/{y}", "/a/b/c", true, true},
      {"/store/**/cart", "/store/cart", true, true},
      {"/store/**/cart", "/store/a/b/cart", true, true},
      {"/store/**/cart", "/store/a/cart/", false, true},
      {"/store/**/cart/", "/store/a/cart/", true, true},
      {"/store/**/cart", "/store/a/Cart", false, false},
      {"/store/**/cart", "/store/a/cart/b", false, false},
      {"/store/**/store", "/store", false, false},
      {"/store/**/*", "/store/", false, false},
      {"/**/cart", "/cart", true, true},
      {"/**/{a}/x/{b}", "/1/2/x/3", true, true},
      {"/files/**.txt", "/files/a/b.txt", true, true},
      {"/files/**.txt", "/files/b.txt", true, true},
      {"/files/**.txt", "/files/b.txt/", false, true},
      {"/files/**.txt", "/files/.txt", true, true},
      {"/files/**.txt", "/files/b.TXT", false, false},
      {"/files/**.txt", "/files/btxt", false, false},
      {"/files/**.txt", "/files.txt", false, false},
      {"/files/*.txt", "/files/b.txt", true, true},
      {"/files/*.txt", "/files/a/b.txt", false, false},
      {"/*.d/x", "/a.d/x", true, true},
      {"/x/*F", "/x/a%2F", false, false},  // `%2F` is one character
      {"/x/*2F", "/x/a%2F", false, false},
      {"/x/*%2F", "/x/a%2F", true, true},
      {"/x/*%61", "/x/ba", true, true},
      {"/**/cart", "*", false, false},
  };
  for (const auto& c : cases) {
    INFO(c.pattern << " on " << c.path);
    const auto pattern = SegmentPattern::parsePath(c.pattern);
    REQUIRE(pattern.ok());
    CHECK(pattern.value().matches(c.path) == c.strict);
    CHECK(pattern.value().matches(c.path, true) == c.loose);
  }
}

TEST_CASE("segment pattern: mistakes are refused") {
  for (const char* text :
       {"",      "orders", "/a//b", "/**/**", "/**/b/**", "/**/", "/**.a/b", "/***", "/a*",  "/*a*",
        "/*{a}", "/{a}b",  "/{}",   "/{1a}",  "/{a}/{a}", "/a?b", "/a#b",    "/..",  "/a;b", "/{a"}) {
    INFO(text);
    CHECK_FALSE(SegmentPattern::parsePath(text).ok());
  }
}

TEST_CASE("segment pattern: captures") {
  const auto pattern = SegmentPattern::parsePath("/shops/{shop}/orders/{order}");
  std::string_view value;
  REQUIRE(pattern.value().capture("/shops/a/orders/42", "order", value));
  CHECK(value == "42");
  CHECK_FALSE(pattern.value().capture("/shops/a/orders/42", "other", value));
  const auto tail = SegmentPattern::parsePath("/shops/{shop}/**/{last}/{order}");
  for (const auto& [name, wanted] : {std::pair{"shop", "a"}, {"last", "c"}, {"order", "42"}}) {
    for (const char* path : {"/shops/a/c/42", "/shops/a/b/c/42", "/shops/a/b/b/c/42/"}) {
      REQUIRE(tail.value().capture(path, name, value));
      CHECK(value == wanted);
    }
  }
}

TEST_CASE("host: canonical form") {
  std::string out;
  for (const auto& [raw, wanted] : {std::pair{"Example.ORG", "example.org"},
                                    {"example.org:8443", "example.org"},
                                    {"example.org.", "example.org"},
                                    {"127.0.0.1:80", "127.0.0.1"},
                                    {"[::1]:80", "[::1]"},
                                    {"[0:0::1]", "[::1]"},
                                    {"example.org:", "example.org"}}) {
    INFO(raw);
    REQUIRE(canonicalHost(raw, out).ok());
    CHECK(out == wanted);
  }
  for (const char* raw : {"", ":80", "a b", "a,b", "user@host", "a..b", ".a", "[::1", "[zz]", "host:99999", "host:8x",
                          "ex\xc3\xa4mple", "a/b", "a%41", "host:80:80", ".", "host..", "host..:80"}) {
    INFO(raw);
    CHECK_FALSE(canonicalHost(raw, out).ok());
  }
}

TEST_CASE("host pattern: a wildcard matches one or more labels") {
  const auto pattern = HostPattern::parse("*.Example.org");
  REQUIRE(pattern.ok());
  CHECK(pattern.value().matches("a.example.org"));
  CHECK(pattern.value().matches("a.b.example.org"));
  CHECK_FALSE(pattern.value().matches("example.org"));
  CHECK_FALSE(pattern.value().matches("badexample.org"));
}

TEST_CASE("cidr: IPv4-mapped IPv6 counts as IPv4") {
  const auto range = Cidr::parse("10.0.0.0/8");
  REQUIRE(range.ok());
  CHECK(range.value().contains(IpAddress::parse("10.1.2.3").value()));
  CHECK(range.value().contains(IpAddress::parse("::ffff:10.1.2.3").value()));
  CHECK_FALSE(range.value().contains(IpAddress::parse("11.0.0.1").value()));
  CHECK_FALSE(range.value().contains(IpAddress()));
  CHECK(Cidr::parse("2001:db8::/33").value().contains(IpAddress::parse("2001:db8:7fff::1").value()));
  CHECK_FALSE(Cidr::parse("2001:db8::/33").value().contains(IpAddress::parse("2001:db8:8000::1").value()));
  CHECK(Cidr::parse("0.0.0.0/0").value().contains(IpAddress::parse("1.2.3.4").value()));
  CHECK_FALSE(Cidr::parse("0.0.0.0/0").value().contains(IpAddress::parse("::1").value()));
  for (const char* text : {"10.0.0.0/33", "10.0.0.1/8", "x", "10.0.0.0/-1", "10.0.0.0/", "::/129"})
    CHECK_FALSE(Cidr::parse(text).ok());
}

TEST_CASE("query: pairs, decoded; a bad escape is an error") {
  const auto pairs = parseQuery("a=1&b=%20x+y&c&&a=2");
  REQUIRE(pairs.ok());
  REQUIRE(pairs.value().size() == 4);
  CHECK(pairs.value()[1].second == " x y");
  CHECK(pairs.value()[2].second.empty());
  CHECK_FALSE(parseQuery("a=%g0").ok());
}
