#include <openssl/pem.h>

#include <catch2/catch.hpp>

#include "base/base64.h"
#include "identity/bundle_content.h"
#include "identity/mint.h"
#include "identity/publish.h"
#include "identity/revocation.h"
#include "identity/trust_bundle.h"
#include "identity/x509_svid.h"

using namespace yett;
using namespace yett::identity;

namespace {

constexpr int64_t kNow = 1'800'000'000;
constexpr int64_t kDay = 86'400;

Certificate parsed(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Certificate out(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  return out;
}

KeyAndCertificate authority(const std::string& name, const KeyAndCertificate* issuer = nullptr) {
  CertificateSpec spec;
  spec.common_name = name;
  spec.uris = {"spiffe://example.org"};
  spec.ca = true;
  spec.not_before = kNow - kDay;
  spec.not_after = kNow + 100 * kDay;
  return mint(spec, issuer).value();
}

KeyAndCertificate workload(const KeyAndCertificate& issuer) {
  CertificateSpec spec;
  spec.uris = {"spiffe://example.org/a"};
  spec.not_before = kNow - 10;
  spec.not_after = kNow + kDay;
  return mint(spec, &issuer).value();
}

TrustBundles bundlesOf(const std::string& bundle, const std::string& crl, bool required, int64_t now = kNow) {
  TrustBundles::Source source(bundle);
  if (!crl.empty()) source.crl = crl;
  source.crl_required = required;
  return TrustBundles::create({{"example.org", source}}, now).value();
}

Result<Principal> judge(const KeyAndCertificate& who, const TrustBundles& bundles, int64_t now = kNow,
                        const std::string& intermediate = "") {
  const Certificate leaf = parsed(who.certificate_pem);
  const Certificate between = intermediate.empty() ? nullptr : parsed(intermediate);
  STACK_OF(X509)* chain = sk_X509_new_null();
  if (between) sk_X509_push(chain, between.get());
  auto out = verifySvid(leaf.get(), chain, bundles, now);
  sk_X509_free(chain);
  return out;
}

std::string whyNot(const Result<Principal>& result) {
  return result ? "" : result.error().message;
}

}  // namespace

TEST_CASE("bundle document: what it says, and what is an error") {
  const auto ca = authority("one");
  const std::string document = bundleDocument(ca.certificate_pem, 7, 300).value();
  const auto content = readBundle("\n  " + document);
  REQUIRE(content.ok());
  CHECK(content.value().document);
  CHECK(content.value().authorities.size() == 1);
  CHECK(content.value().sequence == 7);
  CHECK(content.value().refresh_seconds == 300);
  CHECK(judge(workload(ca), bundlesOf(document, "", false)).ok());
  CHECK_FALSE(judge(workload(authority("one")), bundlesOf(document, "", false)).ok());

  const std::string x5c =
      document.substr(document.find("\"x5c\""), document.find("\"]") + 2 - document.find("\"x5c\""));
  const std::string leaf = workload(ca).certificate_pem;
  struct Case {
    const char* what;
    std::string keys;
    const char* why;  // null: it is read, without this key
  };
  const Case cases[] = {
      {"no use", "{\"kty\":\"EC\"," + x5c + "}", nullptr},
      {"another use", "{\"kty\":\"EC\",\"use\":\"sig\"," + x5c + "}", nullptr},
      {"no type", "{\"use\":\"x509-svid\"," + x5c + "}", nullptr},
      {"no certificate", R"({"kty":"EC","use":"x509-svid"})", "exactly one certificate"},
      {"an empty list", R"({"kty":"EC","use":"x509-svid","x5c":[]})", "exactly one certificate"},
      {"two", R"({"kty":"EC","use":"x509-svid","x5c":["QQ==","QQ=="]})", "exactly one certificate"},
      {"base64url", R"({"kty":"EC","use":"x509-svid","x5c":["-_8="]})", "not base64"},
      {"no DER", R"({"kty":"EC","use":"x509-svid","x5c":["QUJD"]})", "cannot be read"},
      {"a key without an id", R"({"kty":"EC","use":"jwt-svid"})", "needs a `kid`"},
      {"an id twice", R"({"kty":"EC","use":"jwt-svid","kid":"a"},{"kty":"EC","use":"jwt-svid","kid":"a"})",
       "same `kid`"},
      {"not an object", "5", "not an object"},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    const auto read = readBundle("{\"keys\":[" + c.keys + "]}");
    if (c.why == nullptr) {
      REQUIRE(read.ok());
      CHECK(read.value().authorities.empty());
    } else {
      REQUIRE_FALSE(read.ok());
      INFO(read.error().message);
      CHECK(read.error().message.find(c.why) != std::string::npos);
    }
  }
  CHECK_FALSE(readBundle("{}").ok());
  CHECK_FALSE(readBundle(R"({"keys":{}})").ok());
  CHECK_FALSE(readBundle(R"({"keys":[],"keys":[]})").ok());
  CHECK_FALSE(readBundle(R"({"keys":[],"spiffe_sequence":-1})").ok());
  CHECK_FALSE(readBundle(R"({"keys":[],"spiffe_sequence":"1"})").ok());
  for (size_t size = 0; size + 1 < document.size(); size += 7) CHECK_FALSE(readBundle(document.substr(0, size)).ok());
  // All keys were revoked: nobody is trusted.
  CHECK_FALSE(judge(workload(ca), bundlesOf(R"({"keys":[]})", "", false)).ok());
  const auto jwt = readBundle(R"({"keys":[{"kty":"EC","use":"jwt-svid","kid":"k","crv":"P-256","x":"AA","y":"AB"}]})");
  REQUIRE(jwt.ok());
  REQUIRE(jwt.value().jwt_authorities.size() == 1);
  CHECK(jwt.value().jwt_authorities[0].key_id == "k");
  CHECK(jwt.value().jwt_authorities[0].jwk ==
        R"({"crv":"P-256","kid":"k","kty":"EC","use":"jwt-svid","x":"AA","y":"AB"})");
}

TEST_CASE("revocation: a revoked caller is refused, and others are not") {
  const auto ca = authority("root");
  const auto good = workload(ca);
  const auto bad = workload(ca);
  const std::string crl = makeCrl(ca, {bad.certificate_pem}, "", {kNow - 10, kNow + kDay}).value();
  for (const bool required : {false, true}) {
    const auto bundles = bundlesOf(ca.certificate_pem, crl, required);
    CHECK(whyNot(judge(good, bundles)) == "");
    CHECK(whyNot(judge(bad, bundles)).find("was revoked") != std::string::npos);
    // One that was let in before is told apart without its certificate.
    auto before =
        judge(bad, bundlesOf(ca.certificate_pem, makeCrl(ca, {}, "", {kNow - 20, kNow + kDay}).value(), false));
    REQUIRE(before.ok());
    CHECK(trustedUntil(before.value(), bundles, kNow) == 0);
    CHECK(trustedUntil(judge(good, bundles).value(), bundles, kNow) == kNow + kDay);
  }
  // Let in when there was no CRL: its chain must be verified again.
  const auto before = judge(bad, bundlesOf(ca.certificate_pem, "", false));
  CHECK_FALSE(trustedUntil(before.value(), bundlesOf(ca.certificate_pem, crl, false), kNow).has_value());
  // A later CRL keeps what an earlier one lists.
  const std::string later = makeCrl(ca, {good.certificate_pem}, crl, {kNow, kNow + kDay}).value();
  CHECK(bundlesOf(ca.certificate_pem, later, false).find("example.org")->revocations->count() == 2);
}

TEST_CASE("revocation: without a current CRL, callers are refused only where one is required") {
  const auto ca = authority("root");
  const auto who = workload(ca);
  const std::string crl = makeCrl(ca, {}, "", {kNow - 10, kNow + 100}).value();
  const auto relaxed = bundlesOf(ca.certificate_pem, crl, false);
  const auto strict = bundlesOf(ca.certificate_pem, crl, true);
  CHECK(judge(who, relaxed, kNow + 99).ok());
  CHECK(judge(who, relaxed, kNow + 101).ok());
  CHECK(judge(who, strict, kNow + 99).ok());
  CHECK(whyNot(judge(who, strict, kNow + 101)).find("the CRL has expired") != std::string::npos);
  const Principal principal = judge(who, strict).value();
  CHECK(trustedUntil(principal, strict, kNow) == kNow + 100);
  CHECK(trustedUntil(principal, strict, kNow + 100) == 0);
  CHECK(trustedUntil(principal, relaxed, kNow + 100) == kNow + kDay);
  CHECK(relaxed.find("example.org")->revocations->nextUpdate() == kNow + 100);
}

TEST_CASE("revocation: intermediates have CRLs of their own, and can be revoked") {
  const auto root = authority("root");
  const auto between = authority("between", &root);
  const auto good = workload(between);
  const auto bad = workload(between);
  const std::string by_root = makeCrl(root, {}, "", {kNow - 10, kNow + kDay}).value();
  const std::string by_between = makeCrl(between, {bad.certificate_pem}, "", {kNow - 10, kNow + 50}).value();
  const std::string both = by_root + between.certificate_pem + by_between;
  const auto bundles = bundlesOf(root.certificate_pem, both, true);
  CHECK(whyNot(judge(good, bundles, kNow, between.certificate_pem)) == "");
  CHECK(whyNot(judge(bad, bundles, kNow, between.certificate_pem)).find("was revoked") != std::string::npos);
  CHECK(trustedUntil(judge(good, bundles, kNow, between.certificate_pem).value(), bundles, kNow) == kNow + 50);
  const auto partly = bundlesOf(root.certificate_pem, by_root, true);
  CHECK(whyNot(judge(good, partly, kNow, between.certificate_pem)).find("no CRL of one of its issuers") !=
        std::string::npos);
  const auto gone =
      bundlesOf(root.certificate_pem, makeCrl(root, {between.certificate_pem}, "", {kNow, kNow + kDay}).value(), false);
  CHECK(whyNot(judge(good, gone, kNow, between.certificate_pem)).find("was revoked") != std::string::npos);
}

TEST_CASE("revocation: what is not a CRL of this trust domain is refused with a reason") {
  const auto ca = authority("root");
  const auto namesake = authority("root");
  const auto stranger = authority("stranger");
  const auto read = [&](const std::string& pem) {
    TrustBundles::Source source(ca.certificate_pem);
    source.crl = pem;
    const auto out = TrustBundles::create({{"example.org", source}}, kNow);
    return out ? out.value().find("example.org")->revocations->unused() : out.error().message;
  };
  const std::string good = makeCrl(ca, {}, "", {kNow, kNow + kDay}).value();
  CHECK(read(good) == "");
  CHECK(read(makeCrl(stranger, {}, "", {kNow, kNow + kDay}).value()).find("not signed by an authority") !=
        std::string::npos);
  CHECK(read(makeCrl(namesake, {}, "", {kNow, kNow + kDay}).value()).find("not signed by an authority") !=
        std::string::npos);
  CHECK(read(stranger.certificate_pem + good).find("not from an authority") != std::string::npos);
  CHECK(read(workload(ca).certificate_pem + good).find("is not a CA") != std::string::npos);
  CHECK(read(makeCrl(ca, {}, "", {kNow + kDay, kNow + 2 * kDay}).value()).find("not valid yet") != std::string::npos);
  CHECK(read(ca.certificate_pem).find("contains no CRL") != std::string::npos);
  CHECK(read("text").find("contains no CRL") != std::string::npos);
  CHECK(read("").find("contains no CRL") != std::string::npos);
  CHECK(read(ca.key_pem).find("where only X509 CRL and CERTIFICATE belong") != std::string::npos);
  std::string broken = good;
  broken[broken.size() / 2] ^= 1;
  CHECK(read(broken) != "");
  CHECK_FALSE(makeCrl(ca, {workload(stranger).certificate_pem}, "", {kNow, kNow + kDay}).ok());
}

TEST_CASE("base64: each sequence of bytes has one spelling") {
  for (const std::string bytes : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    CHECK(base::fromBase64(base::toBase64(bytes), base::Base64::kPadded).value() == bytes);
  }
  CHECK(base::toBase64("fooba") == "Zm9vYmE=");
  for (const char* bad : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Z===", "===="}) {
    INFO(bad);
    CHECK_FALSE(base::fromBase64(bad, base::Base64::kPadded).ok());
  }
  CHECK(base::fromBase64("-_8", base::Base64::kUrl).value() == "\xfb\xff");
  for (const char* bad : {"Zg==", "+/8", "Zh", "Z"}) CHECK_FALSE(base::fromBase64(bad, base::Base64::kUrl).ok());
}
