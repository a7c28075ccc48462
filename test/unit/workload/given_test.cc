#include "workload/given.h"

#include <catch2/catch.hpp>

#include "identity/trust_bundle.h"
#include "support/workload_messages.h"
#include "workload/back_off.h"

using namespace yett;
using namespace yett::workload;
using namespace yett::test;

namespace {

constexpr int64_t kNow = 1'800'000'000;

}  // namespace

TEST_CASE("the workload api: an answer gives the svid and the bundles") {
  const Workload own = workloadOf("example.org", "a");
  const Workload partner = workloadOf("partner.com", "b");
  Given given;
  REQUIRE_FALSE(given.any());
  REQUIRE_FALSE(given.svid("").ok());
  X509SvidAnswer answer{{own.svid}, {}, {{"partner.com", partner.svid.bundle}}};
  const auto read = readX509Svids(messageOf(answer));
  REQUIRE(read.ok());
  REQUIRE(given.take(read.value()).ok());
  CHECK(given.svid("").value().certificate == own.pem);
  CHECK(given.svid("spiffe://example.org/a").value().certificate == own.pem);
  CHECK(given.svid("spiffe://example.org/b").error().message ==
        "the Workload API gives spiffe://example.org/a, but not spiffe://example.org/b (`identity.spiffe_id`)");
  const auto bundles = identity::TrustBundles::create(given.bundles(), kNow);
  REQUIRE(bundles.ok());
  CHECK(bundles.value().find("partner.com") != nullptr);
}

TEST_CASE("the workload api: what is refused changes nothing") {
  const Workload own = workloadOf("example.org", "a");
  const Workload other = workloadOf("other.org", "b");
  Given given;
  REQUIRE(given.take({{own.svid}, {}, {}}).ok());
  const auto refused = [&](X509SvidAnswer answer, const char* why) {
    const auto done = given.take(answer);
    REQUIRE_FALSE(done.ok());
    CHECK(done.error().message.find(why) != std::string::npos);
    CHECK(given.svid("").value().certificate == own.pem);
  };
  refused({}, "the answer has no SVID");
  X509Svid wrong = other.svid;
  wrong.spiffe_id = "spiffe://example.org/a";
  refused({{wrong}, {}, {}}, "its certificate is that of spiffe://other.org/b");
  wrong = other.svid;
  wrong.chain.clear();
  refused({{wrong}, {}, {}}, "has no certificate");
  wrong = other.svid;
  wrong.bundle = "x";
  refused({{wrong}, {}, {}}, "its bundle: certificate 1 cannot be read");
  wrong = other.svid;
  wrong.key = own.svid.key;
  refused({{wrong}, {}, {}}, "its key does not match its certificate");
  wrong.spiffe_id = "http://other.org/b";
  refused({{wrong}, {}, {}}, "not a SPIFFE ID");
  CHECK(given.bundles().contains("example.org"));
  CHECK_FALSE(given.bundles().contains("other.org"));
}

TEST_CASE("the workload api: a CRL that cannot be used does not hold back the svid") {
  const Workload own = workloadOf("example.org", "a");
  Given given;
  const auto done = given.take({{own.svid}, {"x"}, {}});
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().message.find("its CRL") != std::string::npos);
  CHECK(given.svid("").value().certificate == own.pem);
  CHECK_FALSE(given.bundles().at("example.org").crl);
}

TEST_CASE("the workload api: without a name, the svid that was used first stays while it is given") {
  const Workload first = workloadOf("example.org", "a");
  const Workload second = workloadOf("example.org", "b");
  Given given;
  REQUIRE(given.take({{first.svid}, {}, {}}).ok());
  REQUIRE(given.take({{second.svid, first.svid}, {}, {}}).ok());
  CHECK(given.svid("").value().certificate == first.pem);
  REQUIRE(given.take({{second.svid}, {}, {}}).ok());
  CHECK(given.svid("").value().certificate == second.pem);
  CHECK(given.svid("spiffe://example.org/a").value().certificate == first.pem);  // not given any more, but named
}

TEST_CASE("the workload api: the newest bundles count, and broken ones change nothing") {
  const Workload own = workloadOf("example.org", "a");
  const Workload partner = workloadOf("partner.com", "b");
  Given given;
  REQUIRE(given.take({{own.svid}, {}, {{"partner.com", partner.svid.bundle}}}).ok());
  REQUIRE(given.takeBundles({{"example.org", own.svid.bundle}}).ok());
  CHECK_FALSE(given.bundles().contains("partner.com"));
  // One that is broken keeps what it was, and does not hold back the others.
  const auto mixed = given.takeBundles({{"example.org", "x"}, {"partner.com", partner.svid.bundle}, {"", "y"}});
  REQUIRE_FALSE(mixed.ok());
  CHECK(mixed.error().message.find("`example.org`: certificate 1") != std::string::npos);
  CHECK(mixed.error().message.find("``: not a trust domain") != std::string::npos);
  const auto bundles = given.bundles();
  CHECK(bundles.at("example.org").text.find("BEGIN CERTIFICATE") != std::string::npos);
  CHECK(bundles.contains("partner.com"));
  // An empty one trusts nobody.
  REQUIRE(given.takeBundles({{"example.org", ""}}).ok());
  CHECK(identity::TrustBundles::create(given.bundles(), kNow).value().find("example.org")->anchors.empty());
}

TEST_CASE("the workload api: keys of JWT-SVIDs stand in the bundle of their domain") {
  const Workload own = workloadOf("example.org", "a");
  Given given;
  REQUIRE(given.take({{own.svid}, {}, {}}).ok());
  const std::string keys =
      R"({"keys":[{"kty":"EC","kid":"k","crv":"P-256","x":"AA","y":"AB"},{"kty":"EC","use":"sig"}]})";
  REQUIRE(given.takeJwtBundles({{"example.org", keys}, {"partner.com", keys}}).ok());
  CHECK_FALSE(given.takeJwtBundles({{"example.org", R"({"keys":[{"kty":"EC"}]})"}}).ok());
  const auto bundles = identity::TrustBundles::create(given.bundles(), kNow);
  REQUIRE(bundles.ok());
  CHECK(bundles.value().find("example.org")->jwt_keys.empty());  // its point is not on the curve
  CHECK(bundles.value().find("example.org")->anchors.size() == 1);
}

TEST_CASE("the workload api: bytes that are not a message") {
  CHECK_FALSE(readX509Svids("\x0a\xff").ok());
  CHECK_FALSE(readX509Bundles(std::string("\x12\x05\x0a\x01", 4)).ok());
  const std::string twice = std::string(
                                "\x0a\x03\x0a\x01"
                                "a",
                                5) +
                            std::string("\x0a\x0c\x0a\x0aspiffe://a", 14);
  CHECK(readJwtBundles(twice).error().message == "the trust domain `a` is there twice");
  CHECK(readX509Svids(std::string("\x20\x01\x7a\x01z", 5)).value().svids.empty());  // fields of a later version
}

TEST_CASE("a back-off doubles, up to its limit, and is shortened at random by half at most") {
  BackOff back_off(100, 1000);
  for (const int64_t most : {100, 200, 400, 800, 1000, 1000}) {
    const int64_t wait = back_off.next();
    CHECK(wait >= most / 2);
    CHECK(wait <= most);
  }
  back_off.reset();
  CHECK(back_off.next() <= 100);
  back_off.longest();
  CHECK(back_off.next() >= 500);
}
