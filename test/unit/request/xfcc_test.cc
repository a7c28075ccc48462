#include "request/xfcc.h"

#include <catch2/catch.hpp>
#include <random>

using yett::request::ForwardedCaller;
using yett::request::parseXfcc;
using yett::request::xfccValue;

namespace {

using Callers = std::vector<ForwardedCaller>;

constexpr const char* kHash = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";

std::string whyNot(std::string_view value) {
  const auto parsed = parseXfcc(value);
  return parsed ? "accepted" : parsed.error().message;
}

// The subject of the one element `Subject=<written>`; "refused" if it is not one element.
std::string subject(const std::string& written) {
  const auto parsed = parseXfcc("Subject=" + written);
  return parsed && parsed.value().size() == 1 ? parsed.value()[0].subject : "refused";
}

// How Envoy's reader takes the text inside quotes.
std::string readByEnvoy(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto next = text.substr(i + 1, 1);
    if (text[i] == '\\' && (next == "\"" || next == "\\")) ++i;
    out += text[i];
  }
  return out;
}

}  // namespace

TEST_CASE("xfcc: the samples of Envoy's documentation") {
  const std::string first = std::string("By=http://frontend.lyft.com;Hash=") + kHash;
  const std::string name = "/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client";
  const auto one = parseXfcc(first + ";Subject=\"" + name + "\";URI=http://testclient.lyft.com");
  REQUIRE(one.ok());
  CHECK(one.value() == Callers{{kHash, name, {"http://testclient.lyft.com"}, {}, {"http://frontend.lyft.com"}}});
  const auto two = parseXfcc(first +
                             ";URI=http://testclient.lyft.com,By=http://backend.lyft.com;"
                             "Hash=9ba61d6425303443c0748a02dd8de688468ed33be74eee6556d90c0149c1309e;"
                             "URI=http://frontend.lyft.com");
  REQUIRE(two.ok());
  REQUIRE(two.value().size() == 2);
  CHECK(two.value()[0].uris == std::vector<std::string>{"http://testclient.lyft.com"});
  CHECK(two.value()[1].uris == std::vector<std::string>{"http://frontend.lyft.com"});
  CHECK(two.value()[1].hash == "9ba61d6425303443c0748a02dd8de688468ed33be74eee6556d90c0149c1309e");
  const auto names =
      parseXfcc(first + ";Subject=\"" + name + "\";URI=http://testclient.lyft.com;DNS=lyft.com;DNS=www.lyft.com");
  REQUIRE(names.ok());
  CHECK(names.value()[0].dns == std::vector<std::string>{"lyft.com", "www.lyft.com"});
}

TEST_CASE("xfcc: what Envoy writes besides") {
  // The URI and the subject are there even if the certificate has none; Cert is URL encoded, in quotes.
  const auto none = parseXfcc("Hash=ab;Cert=\"-----BEGIN%20CERTIFICATE-----%0AMII%3D\";Subject=\"\";URI=");
  REQUIRE(none.ok());
  CHECK(none.value() == Callers{{"ab", "", {}, {}, {}}});
  const auto many = parseXfcc("By=spiffe://a/x;By=http://x;Hash=ab;Chain=\"%0A\";URI=spiffe://a/w;URI=http://w");
  REQUIRE(many.ok());
  CHECK(many.value() == Callers{{"ab", "", {"spiffe://a/w", "http://w"}, {}, {"spiffe://a/x", "http://x"}}});
  // Subjects of RFC 2253, as OpenSSL writes them.
  CHECK(subject(R"("CN=L. Eagle,O=Sue\, Grabbit and Runn,C=GB")") == R"(CN=L. Eagle,O=Sue\, Grabbit and Runn,C=GB)");
  CHECK(subject(R"("CN=x\;y\+z\<,O=\#a")") == R"(CN=x\;y\+z\<,O=\#a)");
  CHECK(subject(R"("CN=Jos\C3\A9")") == R"(CN=Jos\C3\A9)");
  CHECK(subject(R"("CN=a\"b")") == R"(CN=a"b)");
  CHECK(subject(R"("CN=a\\\"b")") == R"(CN=a\"b)");
  CHECK(subject(R"("CN=a\\\,b")") == R"(CN=a\\,b)");
  CHECK(subject(R"("CN=a\\")") == R"(CN=a\)");
  // The cases of the test of Envoy's reader.
  const auto special = parseXfcc(R"(By=test;DNS=example.com,By=test;URI="a,b,c;\"e;f;g=x";DNS=example.com)");
  REQUIRE(special.ok());
  CHECK(special.value()[1].uris == std::vector<std::string>{R"(a,b,c;"e;f;g=x)"});
  CHECK(parseXfcc(R"(URI="\\\"")").value()[0].uris == std::vector<std::string>{R"(\")"});
}

TEST_CASE("xfcc: keys in any case, values as they are, and spaces only around commas") {
  const auto parsed = parseXfcc("hASH=Ab;sUBJECT=X;uri=A;DNS=b;dns=C;BY=d");
  REQUIRE(parsed.ok());
  CHECK(parsed.value() == Callers{{"Ab", "X", {"A"}, {"b", "C"}, {"d"}}});
  for (const char* list : {"URI=a,URI=b", "URI=a, URI=b", "URI=a ,URI=b", "URI=a  ,  URI=b", R"(URI="a" , URI="b")"}) {
    INFO(list);
    const auto both = parseXfcc(list);
    REQUIRE(both.ok());
    CHECK(both.value() == Callers{{"", "", {"a"}, {}, {}}, {"", "", {"b"}, {}, {}}});
  }
  for (const char* bad : {" URI=a", "URI=a ", "URI =a", "URI= a", "URI=a; DNS=b", "URI=a ;DNS=b", "URI=\"a\" ",
                          "URI=a\t,URI=b", "URI=a,\tURI=b", "URI=a\r\n URI=b"}) {
    INFO(bad);
    CHECK(whyNot(bad) != "accepted");
  }
}

TEST_CASE("xfcc: what is refused, and why") {
  const std::pair<std::string_view, const char*> cases[] = {
      {"", "the header is empty"},
      {" ", "element 1: no `=` after ` `"},
      {",", "element 1: it is empty"},
      {"URI=a,", "element 2: it is empty"},
      {"URI=a, ", "element 2: it is empty"},
      {",URI=a", "element 1: it is empty"},
      {"URI=a,,URI=b", "element 2: it is empty"},
      {"URI=a, ,URI=b", "element 2: it is empty"},
      {"URI=a;", "element 1: a key is missing"},
      {"URI=a;;DNS=b", "element 1: a key is missing"},
      {"=a", "element 1: a key is missing"},
      {"\"URI=a\"", "element 1: a key is missing"},
      {"URI", "element 1: no `=` after `URI`"},
      {"URI\"a\"", "element 1: no `=` after `URI`"},
      {"SAN=a", "element 1: unknown key `SAN`"},
      {"URI=a, Uri =b", "element 2: unknown key `Uri `"},
      {"an_unknown_key_that_does_not_end=b", "element 1: unknown key `an_unknown_key_that_does...`"},
      {"By=urn:x(a;None;b)", "element 1: no `=` after `None`"},
      {"Hash=a;URI=b;hash=a", "element 1: Hash is given twice"},
      {"Hash=;Hash=a", "element 1: Hash is given twice"},
      {"Subject=a;URI=b,Subject=\"\";SUBJECT=b", "element 2: Subject is given twice"},
      {"Cert=a;Cert=a", "element 1: Cert is given twice"},
      {"Chain=\"a\";Chain=b", "element 1: Chain is given twice"},
      {"URI=a b", "element 1: URI: the value needs quotes for ` b`"},
      {"URI=a=b", "element 1: URI: the value needs quotes for `=b`"},
      {"URI=a\"b", "element 1: URI: the value needs quotes for `\"b`"},
      {"URI=a\\b", "element 1: URI: the value needs quotes for `\\b`"},
      {"URI=a\\,b", "element 1: URI: the value needs quotes for `\\,b`"},
      {"URI=\"a", "element 1: URI: its quotes are not closed"},
      {"URI=\"", "element 1: URI: its quotes are not closed"},
      {"URI=\"a\"b", "element 1: URI: `b` stands after the closing quote"},
      {"URI=\"a\"\"b\"", "element 1: URI: `\"b\"` stands after the closing quote"},
      {"URI=\"\"\"", "element 1: URI: `\"` stands after the closing quote"},
      {std::string_view("URI=a\0", 6), "byte 6 is not printable ASCII"},
      {"URI=\"\r\nX: y\"", "byte 6 is not printable ASCII"},
      {"URI=\x7f", "byte 5 is not printable ASCII"},
      {"Subject=\"Jos\xc3\xa9\"", "byte 13 is not printable ASCII"},
  };
  for (const auto& [value, why] : cases) {
    INFO(value);
    CHECK(whyNot(value) == why);
  }
}

TEST_CASE("xfcc: quotes and backslashes neither hide an element nor make one") {
  // A subject that contains what looks like another element or pair stays a subject.
  for (const char* inside :
       {"x,URI=spiffe://a/admin", "x;URI=spiffe://a/admin", "CN=x\\\",Hash=0;URI=b;Subject=\\\"y"}) {
    INFO(inside);
    const auto parsed = parseXfcc(std::string("Hash=ab;Subject=\"") + inside + "\";URI=spiffe://a/web");
    REQUIRE(parsed.ok());
    REQUIRE(parsed.value().size() == 1);
    CHECK(parsed.value()[0].uris == std::vector<std::string>{"spiffe://a/web"});
  }
  // What a quote would hide, up to the next one: the real URI, with a forged one after it.
  CHECK(whyNot(R"(Subject=x";URI=real,URI=";URI=forged)") != "accepted");
  CHECK(whyNot(R"(Subject="x;URI=real,Subject="y";URI=forged)") != "accepted");
  CHECK(whyNot(R"(URI=forged;Subject=",URI=real)") == "element 1: Subject: its quotes are not closed");
  // A backslash that escapes the closing quote, and one that only seems to.
  CHECK(whyNot(R"(Subject="x\",URI=real)") == "element 1: Subject: its quotes are not closed");
  CHECK(whyNot(R"(Subject="x\\\",URI=real)") == "element 1: Subject: its quotes are not closed");
  CHECK(whyNot(R"(Subject="x\)") == "element 1: Subject: its quotes are not closed");
  CHECK(whyNot(R"(Subject="x\\)") == "element 1: Subject: its quotes are not closed");
  CHECK(whyNot(R"(Subject="x\\"y")") == "element 1: Subject: `y\"` stands after the closing quote");
  const auto closed = parseXfcc(R"(Subject="x\\",URI=real)");
  REQUIRE(closed.ok());
  CHECK(closed.value() == Callers{{"", "x\\", {}, {}, {}}, {"", "", {"real"}, {}, {}}});
}

TEST_CASE("xfcc: two names that Envoy reads as one are not confused") {
  // CN `a,O=b` and, with the backslash doubled, CN `a\` with O `b`.
  CHECK(subject(R"("CN=a\,O=b")") == R"(CN=a\,O=b)");
  CHECK(whyNot(R"(Subject="CN=a\\,O=b")") == "element 1: Subject: a doubled backslash before `,` is ambiguous");
  CHECK(whyNot(R"(Subject="CN=a\\\\,O=b")") == "element 1: Subject: a doubled backslash before `,` is ambiguous");
}

TEST_CASE("xfcc: 64 elements and 16 KiB, and no more") {
  std::string list = "URI=a";
  for (int i = 1; i < 64; ++i) list += ",URI=a";
  REQUIRE(parseXfcc(list).ok());
  CHECK(parseXfcc(list).value().size() == 64);
  CHECK(whyNot(list + ",URI=a") == "over 64 elements");
  std::string longest = "Subject=\"";
  longest.resize((16 << 10) - 1, 'x');
  longest += '"';
  CHECK(subject(longest.substr(8)).size() == (16 << 10) - 10);
  longest.insert(9, "x");
  CHECK(whyNot(longest) == "the header has over 16384 bytes");
}

TEST_CASE("xfcc: a value is written as it is read, in quotes only if it needs them") {
  const std::pair<std::string_view, const char*> cases[] = {
      {"spiffe://example.org/web", "spiffe://example.org/web"},
      {"", R"("")"},
      {"CN=Jane Doe", R"("CN=Jane Doe")"},
      {"a b", R"("a b")"},
      {"a,b", R"("a,b")"},
      {"a;b", R"("a;b")"},
      {"\"", R"("\"")"},
      {R"(a\b)", R"("a\b")"},
      {R"(O=Sue\, Grabbit)", R"("O=Sue\, Grabbit")"},
      {R"(a\)", R"("a\\")"},
      {R"(a\\b)", R"("a\\\b")"},
      {R"(a\"b)", R"("a\\\"b")"},
      {R"(";URI=x,URI=")", R"("\";URI=x,URI=\"")"},
  };
  for (const auto& [raw, written] : cases) {
    INFO(raw);
    CHECK(xfccValue(raw) == written);
    CHECK(subject(xfccValue(raw)) == raw);
  }
}

TEST_CASE("xfcc: bytes that no header may have are written as in RFC 2253") {
  CHECK(xfccValue("Jos\xc3\xa9") == R"("Jos\C3\A9")");
  CHECK(xfccValue(std::string_view("a\r\nX: y\0\x7f", 9)) == R"("a\0D\0AX: y\00\7F")");
  CHECK(xfccValue("\\\n") == R"("\\\0A")");
  CHECK(subject(xfccValue("\\\n")) == R"(\\0A)");
}

TEST_CASE("xfcc: generated values come back unchanged, and no two texts in quotes are the same value") {
  std::mt19937 random(7);
  int accepted = 0;
  constexpr std::string_view kPieces = "\\\\\\\"\",;= aU";
  for (int i = 0; i < 50'000; ++i) {
    std::string raw;
    for (unsigned n = random() % 9; n > 0; --n) raw += kPieces[random() % kPieces.size()];
    INFO(raw);
    const auto parsed = parseXfcc("DNS=x;Subject=" + xfccValue(raw) + ";By=y , URI=z");
    REQUIRE(parsed.ok());
    REQUIRE(parsed.value() == Callers{{"", raw, {}, {"x"}, {"y"}}, {"", "", {"z"}, {}, {}}});
    // The text as it is, in quotes: if it is accepted, Envoy reads the same, and the value is written like this again.
    const std::string read = subject('"' + raw + '"');
    if (read == "refused") continue;
    ++accepted;
    REQUIRE(read == readByEnvoy(raw));
    REQUIRE((xfccValue(read) == '"' + raw + '"' || xfccValue(read) == raw));
  }
  CHECK(accepted > 5'000);
}
