#include "identity/x509_svid.h"

#include <openssl/pem.h>

#include <catch2/catch.hpp>
#include <memory>

#include "identity/mint.h"

using namespace yett::identity;

namespace {

constexpr int64_t kNow = 1'800'000'000;

struct FreeCert {
  void operator()(X509* cert) const { X509_free(cert); }
};
using Cert = std::unique_ptr<X509, FreeCert>;

Cert parse(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Cert cert(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  return cert;
}

CertificateSpec caSpec(const std::string& domain) {
  CertificateSpec spec;
  spec.uris = {"spiffe://" + domain};
  spec.ca = true;
  spec.not_before = kNow - 1000;
  spec.not_after = kNow + 100'000;
  return spec;
}

CertificateSpec leafSpec(std::vector<std::string> uris) {
  CertificateSpec spec;
  spec.uris = std::move(uris);
  spec.not_before = kNow - 10;
  spec.not_after = kNow + 1000;
  return spec;
}

}  // namespace

TEST_CASE("spiffe id: the grammar") {
  for (const char* good :
       {"spiffe://example.org/a", "spiffe://example.org", "spiffe://a-b_c.1/X/y.z", "spiffe://e/..."}) {
    INFO(good);
    CHECK(SpiffeId::parse(good).ok());
  }
  for (const char* bad : {"", "http://example.org/a", "SPIFFE://example.org/a", "spiffe://Example.org/a", "spiffe:///a",
                          "spiffe://example.org/", "spiffe://example.org/a/", "spiffe://example.org//a",
                          "spiffe://example.org/a/../b", "spiffe://example.org/.", "spiffe://example.org/a?b",
                          "spiffe://example.org/a#b", "spiffe://example.org:80/a", "spiffe://u@example.org/a",
                          "spiffe://example.org/%41", "spiffe://example.org/a b", "spiffe://exa\xc3\xa4mple.org/a"}) {
    INFO(bad);
    CHECK_FALSE(SpiffeId::parse(bad).ok());
  }
  CHECK_FALSE(SpiffeId::parse("spiffe://example.org/" + std::string(2048, 'a')).ok());
  CHECK_FALSE(SpiffeId::parse(std::string_view("spiffe://example.org/a\0b", 24)).ok());
  const auto id = SpiffeId::parse("spiffe://example.org/ns/a").value();
  CHECK(id.trustDomain() == "example.org");
  CHECK(id.path() == "/ns/a");
}

TEST_CASE("x509-svid: a valid one yields its principal, each invalid one is refused with a reason") {
  const auto ca = mint(caSpec("example.org"), nullptr).value();
  const auto foreign = mint(caSpec("example.org"), nullptr).value();
  const auto other = mint(caSpec("other.org"), nullptr).value();
  const auto bundles =
      TrustBundles::create({{"example.org", ca.certificate_pem}, {"other.org", other.certificate_pem}}, kNow).value();
  const auto verify = [&](const CertificateSpec& spec, const KeyAndCertificate* issuer) {
    const auto minted = mint(spec, issuer).value();
    return verifySvid(parse(minted.certificate_pem).get(), nullptr, bundles, kNow);
  };
  const std::string id = "spiffe://example.org/ns/shop/sa/frontend";

  const auto good = verify(leafSpec({id}), &ca);
  REQUIRE(good.ok());
  CHECK(good.value().id == id);
  CHECK(good.value().expires == kNow + 1000);

  struct Case {
    const char* what;
    CertificateSpec spec;
    const KeyAndCertificate* issuer;
    const char* why;
  };
  auto with = [&](auto change) {
    CertificateSpec spec = leafSpec({id});
    change(spec);
    return spec;
  };
  const Case cases[] = {
      {"no URI SAN", leafSpec({}), &ca, "has 0 URI SANs"},
      {"two URI SANs", leafSpec({id, "spiffe://example.org/b"}), &ca, "has 2 URI SANs"},
      {"the same URI SAN twice", leafSpec({id, id}), &ca, "has 2 URI SANs"},
      {"a URI that is not a SPIFFE ID", leafSpec({"https://example.org/a"}), &ca, "is not a SPIFFE ID"},
      {"a trust domain's ID", leafSpec({"spiffe://example.org"}), &ca, "names a trust domain, not a workload"},
      {"a CA", with([](auto& s) { s.ca = true; }), &ca, "is a CA certificate"},
      {"no key usage", with([](auto& s) { s.key_usage = ""; }), &ca, "lacks the key usage digitalSignature"},
      {"keyCertSign", with([](auto& s) { s.key_usage = "critical,digitalSignature,keyCertSign"; }), &ca,
       "has the key usage of a CA"},
      {"cRLSign", with([](auto& s) { s.key_usage = "critical,digitalSignature,cRLSign"; }), &ca,
       "has the key usage of a CA"},
      {"for servers only", with([](auto& s) { s.extended_key_usage = "serverAuth"; }), &ca, "certificate purpose"},
      {"expired", with([](auto& s) { s.not_after = kNow - 1; }), &ca, "certificate has expired"},
      {"not valid yet", with([](auto& s) { s.not_before = kNow + 10; }), &ca, "certificate is not yet valid"},
      {"another CA of the same name", leafSpec({id}), &foreign, "unable to get local issuer"},
      {"another trust domain's CA", leafSpec({id}), &other, "unable to get local issuer"},
      {"self-signed", leafSpec({id}), nullptr, "self"},
      {"unknown trust domain", leafSpec({"spiffe://unknown.org/a"}), &ca,
       "no trust bundle for trust domain `unknown.org`"},
      {"claims the other domain", leafSpec({"spiffe://other.org/a"}), &ca, "unable to get local issuer"},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    const auto result = verify(c.spec, c.issuer);
    REQUIRE_FALSE(result.ok());
    INFO(result.error().message);
    CHECK((result.error().message.find(c.why) != std::string::npos ||
           (std::string_view(c.why).starts_with("unable") &&
            result.error().message.find("signature") != std::string::npos)));
  }
}

TEST_CASE("x509-svid: the verified chain ends with its trust anchor") {
  CertificateSpec root = caSpec("example.org");
  root.not_after = kNow + 500;
  const auto ca = mint(root, nullptr).value();
  const auto bundles = TrustBundles::create({{"example.org", ca.certificate_pem}}, kNow).value();
  const auto leaf = mint(leafSpec({"spiffe://example.org/a"}), &ca).value();
  const auto principal = verifySvid(parse(leaf.certificate_pem).get(), nullptr, bundles, kNow);
  REQUIRE(principal.ok());
  CHECK(principal.value().expires == kNow + 500);
  CHECK(principal.value().anchor_sha256 == certificateDigest(parse(ca.certificate_pem).get()));
  CHECK(bundles.find("example.org")->anchors.contains(principal.value().anchor_sha256));
}

TEST_CASE("x509-svid: two CAs with the same name in a bundle are both trusted, although OpenSSL tries only one") {
  const auto ca = mint(caSpec("example.org"), nullptr).value();
  const auto namesake = mint(caSpec("example.org"), nullptr).value();
  const auto stranger = mint(caSpec("example.org"), nullptr).value();
  const auto bundles =
      TrustBundles::create({{"example.org", ca.certificate_pem + namesake.certificate_pem}}, kNow).value();
  for (const auto* issuer : {&ca, &namesake}) {
    const auto leaf = mint(leafSpec({"spiffe://example.org/a"}), issuer).value();
    CHECK(verifySvid(parse(leaf.certificate_pem).get(), nullptr, bundles, kNow).ok());
  }
  const auto leaf = mint(leafSpec({"spiffe://example.org/a"}), &stranger).value();
  CHECK_FALSE(verifySvid(parse(leaf.certificate_pem).get(), nullptr, bundles, kNow).ok());
}

TEST_CASE("trust bundle: only CA certificates are trusted as issuers") {
  const auto ca = mint(caSpec("example.org"), nullptr).value();
  const auto leaf = mint(leafSpec({"spiffe://example.org/a"}), &ca).value();
  CHECK_FALSE(TrustBundles::create({{"example.org", leaf.certificate_pem}}, kNow).ok());
  CHECK_FALSE(TrustBundles::create({{"example.org", std::string()}}, kNow).ok());
  CHECK_FALSE(TrustBundles::create({{"Example.org", ca.certificate_pem}}, kNow).ok());
}
