#include "identity/jwt.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "identity/jwk.h"
#include "support/signing.h"

using namespace yett;
using namespace yett::identity;
using namespace yett::test;

namespace {

constexpr int64_t kNow = 1'800'000'000;
using A = JwsAlgorithm;

const SigningKey& rsa() {
  static const SigningKey key = SigningKey::rsa(2048, "r");
  return key;
}
const SigningKey& p256() {
  static const SigningKey key = SigningKey::ec("P-256", "e");
  return key;
}

std::vector<VerifyKey> keysOf(const std::string& jwks) {
  auto out = readJwkSet(jwks);
  REQUIRE(out.ok());
  return std::move(out).value();
}

JwtRules rules(std::vector<A> algorithms = {A::kRs256, A::kEs256}) {
  return {.issuer = "https://idp", .audiences = {"orders"}, .algorithms = std::move(algorithms), .clock_skew = 30};
}

const std::string kClaims =
    R"({"iss":"https://idp","sub":"jane","aud":["x","orders"],"exp":1800000100,"groups":["a"]})";

std::string why(std::string_view token, const JwtRules& with, const std::vector<VerifyKey>& keys, int64_t now = kNow) {
  const auto done = verifyJwt(token, with, keys, now);
  return done ? "accepted" : done.refusal().why;
}

std::vector<VerifyKey> bothKeys() {
  return keysOf("{\"keys\":[" + rsa().jwk() + "," + p256().jwk() + "]}");
}

}  // namespace

TEST_CASE("jwt: each algorithm, and only with its own kind of key") {
  const std::vector<std::pair<A, SigningKey>> all = [] {
    std::vector<std::pair<A, SigningKey>> out;
    for (const A a : {A::kRs256, A::kRs384, A::kRs512, A::kPs256, A::kPs384, A::kPs512})
      out.emplace_back(a, SigningKey::rsa(2048, "k"));
    out.emplace_back(A::kEs256, SigningKey::ec("P-256", "k"));
    out.emplace_back(A::kEs384, SigningKey::ec("P-384", "k"));
    out.emplace_back(A::kEs512, SigningKey::ec("P-521", "k"));
    out.emplace_back(A::kEdDsa, SigningKey::ed25519("k"));
    return out;
  }();
  std::vector<A> algorithms;
  for (const auto& [algorithm, key] : all) algorithms.push_back(algorithm);
  for (const auto& [algorithm, key] : all) {
    CAPTURE(name(algorithm));
    const std::string token = key.token(algorithm, kClaims);
    const auto done = verifyJwt(token, rules(algorithms), keysOf("{\"keys\":[" + key.jwk() + "]}"), kNow);
    REQUIRE(done);
    CHECK(done.token().subject == "jane");
    CHECK(done.token().claims == kClaims);
    CHECK(done.token().expires == 1'800'000'100);
    // Any other byte in the signature, and another payload.
    std::string other = token;
    other[token.rfind('.') + 5] ^= 1;
    CHECK_FALSE(verifyJwt(other, rules(algorithms), keysOf("{\"keys\":[" + key.jwk() + "]}"), kNow));
    CHECK_FALSE(jwsAlgorithmNamed(base::lowered(name(algorithm))));
    for (const auto& [wrong, wrong_key] : all) {
      if (wrong_key.kind() == key.kind()) continue;
      CHECK(why(token, rules(algorithms), keysOf("{\"keys\":[" + wrong_key.jwk() + "]}")) ==
            "none of the keys has its `kid` and serves its algorithm");
    }
  }
}

TEST_CASE("jwt: the claims") {
  const auto keys = bothKeys();
  const auto with = [&](const std::string& claims, int64_t now = kNow) {
    return why(rsa().token(A::kRs256, claims), rules(), keys, now);
  };
  CHECK(with(kClaims) == "accepted");
  CHECK(with(kClaims, 1'800'000'129) == "accepted");  // within the skew
  CHECK(with(kClaims, 1'800'000'130) == "it has expired");
  const auto claims = [](const std::string& more) { return R"({"iss":"https://idp","aud":"orders")" + more + "}"; };
  CHECK(with(claims(R"(,"exp":1800000100)")) == "accepted");
  CHECK(with(claims("")) == "it has no `exp`");
  CHECK(with(claims(R"(,"exp":"1800000100")")) == "`exp` is not a number");
  CHECK(with(claims(R"(,"exp":1800000100.5)")) == "accepted");
  CHECK(with(claims(R"(,"exp":9e99)")) == "`exp` is not a time");
  CHECK(with(claims(R"(,"exp":9007199254740993)")) == "`exp` is not a time");
  CHECK(with(claims(R"(,"exp":99999999999999999999999)")) != "accepted");
  CHECK(with(claims(R"(,"exp":-1)")) == "`exp` is not a time");
  CHECK(with(claims(R"(,"exp":null)")) == "`exp` is not a number");
  CHECK(with(claims(R"(,"exp":1800000100,"nbf":1800000031)")) == "it is not valid yet (`nbf`)");
  CHECK(with(claims(R"(,"exp":1800000100,"nbf":1800000030)")) == "accepted");
  CHECK(with(claims(R"(,"exp":1800000100,"iat":1800000031)")) == "it was issued in the future (`iat`)");
  CHECK(with(claims(R"(,"exp":1800000100,"sub":7)")) == "`sub` is not a string");
  CHECK(with(R"({"aud":"orders","exp":1800000100})") == "it has no `iss`");
  CHECK(with(R"({"iss":"https://idp/","aud":"orders","exp":1800000100})") == "it is of another issuer (`iss`)");
  CHECK(with(R"({"iss":"https://idp","exp":1800000100})") == "it has no `aud`");
  CHECK(with(R"({"iss":"https://idp","aud":"Orders","exp":1800000100})") == "it is for another audience (`aud`)");
  CHECK(with(R"({"iss":"https://idp","aud":[],"exp":1800000100})") == "it is for another audience (`aud`)");
  CHECK(with(R"({"iss":"https://idp","aud":["orders",1],"exp":1800000100})") ==
        "`aud` has an entry that is not a string");
  CHECK(with(R"({"iss":"https://idp","aud":{"a":"orders"},"exp":1800000100})") ==
        "`aud` is neither a string nor a list");
  // Two readings of one document.
  CHECK(with(claims(R"(,"exp":1800000100,"exp":1800000200)")) ==
        "its payload is not JSON, repeats a name, is nested too deeply or has a number that is too large");
  CHECK(with(claims(R"(,"exp":1800000100,"e\u0078p":1800000200)")) ==
        "its payload is not JSON, repeats a name, is nested too deeply or has a number that is too large");
  CHECK(with(claims(R"(,"exp":1800000100)") + "x") ==
        "its payload is not JSON, repeats a name, is nested too deeply or has a number that is too large");
  CHECK(with("[1]") == "its payload is not a JSON object");
}

TEST_CASE("jwt: the attacks that are known") {
  const auto keys = bothKeys();
  const std::string good = rsa().token(A::kRs256, kClaims);
  const auto header = [&](const std::string& text) { return rsa().signedAs(A::kRs256, text, kClaims); };
  const auto refused = [&](const std::string& token) { return why(token, rules(), keys); };
  CHECK(refused(header(R"({"alg":"RS256","kid":"r"})")) == "accepted");
  CHECK(refused(header(R"({"alg":"none","kid":"r"})")) == "its algorithm `none` is never accepted");
  CHECK(refused(header(R"({"alg":"None","kid":"r"})")) == "its algorithm `None` is never accepted");
  CHECK(refused(header(R"({"alg":"HS256","kid":"r"})")) == "its algorithm `HS256` is never accepted");
  CHECK(refused(header(R"({"alg":"PS256","kid":"r"})")) ==
        "its algorithm `PS256` is not one of those that are configured");
  CHECK(refused(header(R"({"alg":"rs256","kid":"r"})")) == "its algorithm `rs256` is never accepted");
  CHECK(refused(header(R"({"alg":["RS256"],"kid":"r"})")) == "`alg` is not a string");
  CHECK(refused(header(R"({"kid":"r"})")) == "its header has no `alg`");
  CHECK(refused(header(R"({"alg":"ES256","kid":"r"})")) == "none of the keys has its `kid` and serves its algorithm");
  for (const char* named : {"jwk", "jku", "x5u", "x5c"})
    CHECK(refused(header(R"({"alg":"RS256","kid":"r",")" + std::string(named) + R"(":"https://evil"})")) ==
          "its header names a key by `" + std::string(named) + "`: only configured keys are used");
  CHECK(refused(header(R"({"alg":"RS256","kid":"r","crit":["exp"]})")) ==
        "its header has `crit`, which is not supported");
  CHECK(refused(header(R"({"alg":"RS256","kid":"r","b64":false})")) == "its header has `b64`, which is not supported");
  CHECK(refused(header(R"({"alg":"RS256","kid":"r","zip":"DEF"})")) == "its header has `zip`, which is not supported");
  CHECK(refused(header(R"({"alg":"RS256","kid":"r","cty":"JWT"})")) ==
        "its payload is another token (`cty`), which is not supported");
  CHECK(refused(header(R"({"alg":"RS256","kid":"r","typ":"at+jwt"})")) == "accepted");
  CHECK(refused(header(R"({"alg":"RS256","kid":"r","typ":"application/AT+JWT"})")) == "accepted");
  CHECK(refused(header(R"({"alg":"RS256","kid":"r","typ":"logout+jwt"})")) ==
        "its `typ` is that of another kind of token");
  CHECK(refused(header(R"({"alg":"RS256","kid":"../../dev/null"})")) ==
        "none of the keys has its `kid` and serves its algorithm");
  CHECK(refused(header(R"({"alg":"RS256","kid":"' UNION SELECT 'x"})")) ==
        "none of the keys has its `kid` and serves its algorithm");
  CHECK(refused(header(R"({"alg":"RS256","kid":{"a":1}})")) == "`kid` is not a string");
  CHECK(refused(header(R"({"alg":"RS256","kid":")" + std::string(300, 'k') + R"("})")) ==
        "its `kid` is longer than 256 bytes");
  CHECK(refused(header(R"({"alg":"RS256","alg":"none","kid":"r"})")) ==
        "its header is not JSON, repeats a name, is nested too deeply or has a number that is too large");
  CHECK(verifyJwt(header(R"({"alg":"RS256","kid":"new"})"), rules(), keys, kNow).refusal().key_unknown);
  // Other spellings of the same bytes.
  for (const std::string& other :
       {good + "=", " " + good, good + " ", good + "\n", "Bearer " + good, good + ".", good + ".x", "." + good,
        std::string(good).replace(3, 1, "+"), std::string(good).insert(5, "\n")})
    CHECK(refused(other) != "accepted");
  const size_t dot = good.find('.');
  CHECK(refused(good.substr(0, dot)) == "the token does not have three parts");
  CHECK(refused(good.substr(0, good.rfind('.') + 1)) == "its signature is not valid");
  CHECK(refused("a.b.c.d.e") == "the token is encrypted (RFC 7516), which is not supported");
  CHECK(refused("") == "the token does not have three parts");
  CHECK(refused(std::string(20'000, 'x')) == "the token is larger than 16 KiB");
  // "Psychic" signatures: r, s or both zero, or of another length.
  const auto es = [&](const std::string& signature) {
    const std::string input = url(R"({"alg":"ES256","kid":"e"})") + "." + url(kClaims);
    return input + "." + url(signature);
  };
  CHECK(refused(p256().token(A::kEs256, kClaims)) == "accepted");
  CHECK(refused(es(std::string(64, '\0'))) == "its signature is not valid");
  CHECK(refused(es(std::string(63, '\0') + "\1")) == "its signature is not valid");
  CHECK(refused(es(std::string(31, '\0') + "\1" + std::string(32, '\0'))) == "its signature is not valid");
  CHECK(refused(es(std::string(96, '\1'))) == "its signature is not valid");
  CHECK(refused(es("")) == "its signature is not valid");
  const std::string der = p256().derSignature(A::kEs256, url(R"({"alg":"ES256","kid":"e"})") + "." + url(kClaims));
  CHECK(refused(es(der)) == "its signature is not valid");
}

TEST_CASE("jwt: keys that are not for this") {
  const auto read = [](const std::string& key) {
    const auto one = readJwk(key);
    const auto set = readJwkSet("{\"keys\":[" + key + "]}");
    if (set) CHECK(set.value().size() == (one && one.value() ? 1 : 0));  // what cannot be is left out
    return one ? std::to_string(one.value() ? 1 : 0) : "line 1: the key " + one.error().message;
  };
  CHECK(read(R"({"kty":"oct","k":"AAAA","kid":"h"})") == "0");  // a symmetric key verifies nothing here
  CHECK(read(R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})") == "0");
  CHECK(read(R"({"kty":"OKP","crv":"X25519","x":"AA"})") == "0");
  CHECK(read(R"({"kty":"EC","crv":"P-256","use":"enc","x":"AA","y":"AA"})") == "0");
  CHECK(read(R"({"kty":"EC","crv":"P-256","key_ops":["sign"],"x":"AA","y":"AA"})") == "0");
  CHECK(read(R"({"kty":"EC","crv":"P-256","x":")" + url(std::string(33, '\1')) + R"(","y":"AA"})") ==
        "line 1: the key has coordinates of the wrong length");
  const std::string one = url(std::string(31, '\0') + "\1");
  CHECK(read(R"({"kty":"EC","crv":"P-256","x":")" + one + R"(","y":")" + one + "\"}") ==
        "line 1: the key is not a valid public key");  // not on the curve
  CHECK(read(R"({"kty":"RSA","n":")" + url(std::string(128, '\xff')) + R"(","e":"AQAB"})") ==
        "line 1: the key is an RSA key of 1024 bits, must be 2048 to 8192");
  CHECK(read(R"({"kty":"RSA","n":")" + url(std::string(2048, '\xff')) + R"(","e":"AQAB"})") ==
        "line 1: the key is an RSA key of 16384 bits, must be 2048 to 8192");
  CHECK(read(R"({"kty":"RSA","n":")" + url(std::string(256, '\xff')) + R"(","e":"AQ"})") ==
        "line 1: the key is not a valid public key");
  CHECK(read(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"})") ==
        "line 1: the key is a private key, which must not be in this set");
  CHECK(read(R"({"crv":"P-256"})") == "line 1: the key needs `kty`");
  CHECK(readJwkSet("{}").error().message == "not a JWK Set: it has no array `keys` (RFC 7517 5)");
  CHECK_FALSE(readJwkSet("[").ok());
  // Without a key id, only one key may serve.
  const auto keys = keysOf("{\"keys\":[" + rsa().jwk() + "," + SigningKey::rsa(2048, "other").jwk() + "]}");
  CHECK(why(rsa().signedAs(A::kRs256, R"({"alg":"RS256"})", kClaims), rules(), keys) ==
        "it has no `kid`, and several keys serve its algorithm");
  CHECK(why(rsa().signedAs(A::kRs256, R"({"alg":"RS256"})", kClaims), rules(), bothKeys()) == "accepted");
}

// RFC 7520, RFC 8037: made by others.
TEST_CASE("jwt: the vectors of the JOSE cookbook") {
  const std::string root = std::string(YETT_SOURCE_DIR) + "/../shared/vectors/jose/";
  if (!std::filesystem::exists(root)) {
    WARN("skipped: no vectors of others here");
    return;
  }
  int verified = 0;
  for (const char* file :
       {"jws/4_1.rsa_v15_signature.json", "jws/4_2.rsa-pss_signature.json", "jws/4_3.ecdsa_signature.json",
        "curve25519/jws.json", "jws/4_4.hmac-sha2_integrity_protection.json"}) {
    CAPTURE(file);
    const auto document = json::parse(base::readFile(root + file).value(), false).value();
    const auto* key = document.find("input")->find("key");
    std::string jwk;
    for (const auto& [field, value] : key->fields) {
      if (field == "d" || field == "p" || field == "q" || field == "dp" || field == "dq" || field == "qi") continue;
      json::appendQuoted(jwk += jwk.empty() ? "{" : ",", field);
      json::appendQuoted(jwk += ":", value.text);
    }
    const auto read = readJwk(jwk + "}");
    REQUIRE(read.ok());
    const std::string compact = document.find("output")->find("compact")->text;
    const auto pieces = base::split(compact, '.');
    const auto algorithm = jwsAlgorithmNamed(document.find("input")->find("alg")->text);
    if (!algorithm) {
      CHECK_FALSE(read.value());  // HMAC
      continue;
    }
    REQUIRE(read.value());
    const std::string input = compact.substr(0, compact.rfind('.'));
    const std::string signature = base::fromBase64(pieces[2], base::Base64::kUrl).value();
    CHECK(verifies(*read.value(), *algorithm, input, signature));
    CHECK_FALSE(verifies(*read.value(), *algorithm, input + "x", signature));
    ++verified;
  }
  CHECK(verified == 4);
}
