#include "identity/jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"

namespace yett::identity {
namespace {

constexpr size_t kMostBytes = 1 << 20;
constexpr size_t kMostKeys = 256;
constexpr int kDepth = 8;
constexpr const char* kPrivate = "is a private key, which must not be in this set";
constexpr int kLeastRsa = 2048;  // bits (RFC 7518 3.3)
constexpr int kMostRsa = 8192;   // more takes a millisecond for each token

struct AlgorithmInfo {
  std::string_view name;
  const char* digest;
  int coordinate;  // bytes of r and s; 0: not ECDSA
  bool pss;
};
// In the order of the enum.
constexpr std::array<AlgorithmInfo, 10> kAlgorithms{{{"RS256", "SHA256", 0, false},
                                                     {"RS384", "SHA384", 0, false},
                                                     {"RS512", "SHA512", 0, false},
                                                     {"PS256", "SHA256", 0, true},
                                                     {"PS384", "SHA384", 0, true},
                                                     {"PS512", "SHA512", 0, true},
                                                     {"ES256", "SHA256", 32, false},
                                                     {"ES384", "SHA384", 48, false},
                                                     {"ES512", "SHA512", 66, false},
                                                     {"EdDSA", nullptr, 0, false}}};

const AlgorithmInfo& infoOf(JwsAlgorithm algorithm) {
  return kAlgorithms[static_cast<size_t>(algorithm)];
}

using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
using Params = std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)>;
using Key = std::unique_ptr<EVP_PKEY, VerifyKey::Free>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number numberOf(std::string_view big_endian) {
  return {BN_bin2bn(bytes(big_endian), static_cast<int>(big_endian.size()), nullptr), BN_free};
}

const std::string* textOf(const json::Value& key, std::string_view name) {
  const json::Value* field = key.find(name);
  return field != nullptr && field->type == json::Value::Type::kString ? &field->text : nullptr;
}

Result<std::string> bytesOf(const json::Value& key, const char* name) {
  const std::string* text = textOf(key, name);
  if (text == nullptr) return Error{"needs `" + std::string(name) + "`"};
  auto out = base::fromBase64(*text, base::Base64::kUrl);
  if (!out) return Error{"`" + std::string(name) + "` is not base64url: " + out.error().message};
  return out;
}

Result<Key> keyFrom(const char* kind, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder), OSSL_PARAM_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  const bool made = params && context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1;
  Key out(key);
  ERR_clear_error();
  if (!made) return Error{"is not a valid public key"};
  return out;
}

Result<Key> rsaKey(const json::Value& jwk) {
  const std::string n = TRY(bytesOf(jwk, "n"));
  const std::string e = TRY(bytesOf(jwk, "e"));
  const Number modulus = numberOf(n);
  const Number exponent = numberOf(e);
  const int size = BN_num_bits(modulus.get());
  if (size < kLeastRsa || size > kMostRsa)
    return Error{"is an RSA key of " + std::to_string(size) + " bits, must be " + std::to_string(kLeastRsa) + " to " +
                 std::to_string(kMostRsa)};
  if (BN_is_odd(modulus.get()) == 0 || BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) == 1 ||
      BN_num_bits(exponent.get()) > 64)
    return Error{"is not a valid public key"};
  const Builder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return keyFrom("RSA", builder.get());
}

Result<Key> ecKey(const json::Value& jwk, const char* group, size_t coordinate) {
  std::string x = TRY(bytesOf(jwk, "x"));
  std::string y = TRY(bytesOf(jwk, "y"));
  for (std::string* one : {&x, &y}) {
    if (one->size() > coordinate || one->empty()) return Error{"has coordinates of the wrong length"};
    one->insert(0, coordinate - one->size(),
                '\0');  // RFC 7518 6.2.1.2 wants all of them, but some publishers cut zeros
  }
  const std::string point = "\x04" + x + y;  // SEC 1, 2.3.3
  const Builder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return keyFrom("EC", builder.get());
}

Result<Key> edKey(const json::Value& jwk) {
  const std::string x = TRY(bytesOf(jwk, "x"));
  Key out(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(x), x.size()));
  ERR_clear_error();
  if (!out) return Error{"is not a valid public key"};
  return out;
}

// The algorithms of the key's kind; none: it is not for signatures that are accepted here.
Result<std::vector<JwsAlgorithm>> readKind(const json::Value& jwk, const std::string& kind, Key& key) {
  using A = JwsAlgorithm;
  if (kind == "RSA") {
    key = TRY(rsaKey(jwk));
    return std::vector{A::kRs256, A::kRs384, A::kRs512, A::kPs256, A::kPs384, A::kPs512};
  }
  const std::string* curve = textOf(jwk, "crv");
  if (curve == nullptr) return std::vector<A>();
  struct Curve {
    const char* name;
    const char* group;
    A algorithm;
  };
  for (const auto& [named, group, algorithm] :
       {Curve{"P-256", "P-256", A::kEs256}, Curve{"P-384", "P-384", A::kEs384}, Curve{"P-521", "P-521", A::kEs512}}) {
    if (kind != "EC" || *curve != named) continue;
    key = TRY(ecKey(jwk, group, static_cast<size_t>(infoOf(algorithm).coordinate)));
    return std::vector{algorithm};
  }
  if (kind != "OKP" || *curve != "Ed25519") return std::vector<A>();
  key = TRY(edKey(jwk));
  return std::vector{A::kEdDsa};
}

// RFC 7517 4.2 and 4.3.
bool forSignatures(const json::Value& jwk, std::string_view wanted) {
  const std::string* use = textOf(jwk, "use");
  if (jwk.find("use") != nullptr && (use == nullptr || *use != wanted)) return false;
  const json::Value* operations = jwk.find("key_ops");
  return operations == nullptr || std::any_of(operations->items.begin(), operations->items.end(),
                                              [](const json::Value& item) { return item.text == "verify"; });
}

Result<std::optional<VerifyKey>> keyOf(const json::Value& jwk, std::string_view use) {
  if (jwk.type != json::Value::Type::kObject) return Error{"is not an object"};
  const std::string* kind = textOf(jwk, "kty");
  if (kind == nullptr) return Error{"needs `kty`"};
  if (*kind != "oct" && jwk.find("d") != nullptr) return Error{kPrivate};
  VerifyKey out;
  if (*kind == "oct" || !forSignatures(jwk, use)) return std::optional<VerifyKey>();
  out.algorithms = TRY(readKind(jwk, *kind, out.key));
  if (const std::string* id = textOf(jwk, "kid")) out.id = *id;
  if (const std::string* alg = textOf(jwk, "alg")) {
    const auto named = jwsAlgorithmNamed(*alg);
    std::erase_if(out.algorithms, [&](JwsAlgorithm one) { return one != named; });
  }
  if (out.algorithms.empty()) return std::optional<VerifyKey>();
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(out.key.get(), &der);
  const auto hash =
      base::Sha256Hasher().update({reinterpret_cast<char*>(der), size > 0 ? static_cast<size_t>(size) : 0}).finish();
  OPENSSL_free(der);
  out.digest = base::view(hash);
  return std::optional<VerifyKey>(std::move(out));
}

// r and s as two numbers of fixed size (RFC 7518 3.4) -> DER; "" if they cannot be.
std::string ecdsaDer(std::string_view raw, size_t coordinate) {
  if (raw.size() != 2 * coordinate) return {};
  Number r = numberOf(raw.substr(0, coordinate));
  Number s = numberOf(raw.substr(coordinate));
  if (!r || !s || BN_is_zero(r.get()) == 1 || BN_is_zero(s.get()) == 1) return {};
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(ECDSA_SIG_new(), ECDSA_SIG_free);
  ECDSA_SIG_set0(signature.get(), r.release(), s.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  std::string out(reinterpret_cast<char*>(der), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(der);
  return out;
}

}  // namespace

std::optional<JwsAlgorithm> jwsAlgorithmNamed(std::string_view name) {
  for (size_t i = 0; i < kAlgorithms.size(); ++i) {
    if (kAlgorithms[i].name == name) return static_cast<JwsAlgorithm>(i);
  }
  if (name == "Ed25519") return JwsAlgorithm::kEdDsa;  // RFC 9864 names the only curve of it that is known here
  return std::nullopt;
}

const char* name(JwsAlgorithm algorithm) {
  return infoOf(algorithm).name.data();
}

const std::vector<std::string_view>& jwsAlgorithms() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> out;
    for (const auto& one : kAlgorithms) out.push_back(one.name);
    return out;
  }();
  return names;
}

bool VerifyKey::serves(JwsAlgorithm algorithm) const {
  return std::find(algorithms.begin(), algorithms.end(), algorithm) != algorithms.end();
}

bool verifies(const VerifyKey& key, JwsAlgorithm algorithm, std::string_view input, std::string_view signature) {
  const AlgorithmInfo& how = infoOf(algorithm);
  std::string der;
  if (how.coordinate > 0) {
    der = ecdsaDer(signature, static_cast<size_t>(how.coordinate));
    if (der.empty()) return false;
    signature = der;
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_PKEY_CTX* settings = nullptr;
  bool ok = context && EVP_DigestVerifyInit_ex(context.get(), &settings, how.digest, nullptr, nullptr, key.key.get(),
                                               nullptr) == 1;
  if (ok && how.pss)
    ok = EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1;
  ok = ok && EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(input), input.size()) == 1;
  ERR_clear_error();
  return ok;
}

Result<std::optional<VerifyKey>> readJwk(std::string_view text, std::string_view use) {
  return keyOf(TRY(json::parse(text, false, kDepth)), use);
}

Result<std::vector<VerifyKey>> readJwkSet(std::string_view text) {
  if (text.size() > kMostBytes) return Error{"is larger than 1 MiB"};
  const auto document = TRY(json::parse(text, false, kDepth));
  const json::Value* keys = document.find("keys");
  if (keys == nullptr || keys->type != json::Value::Type::kArray)
    return Error{"not a JWK Set: it has no array `keys` (RFC 7517 5)"};
  if (keys->items.size() > kMostKeys) return Error{"has more than " + std::to_string(kMostKeys) + " keys"};
  std::vector<VerifyKey> out;
  for (const auto& item : keys->items) {
    auto key = keyOf(item, "sig");
    if (!key && key.error().message == kPrivate)
      return Error{"line " + std::to_string(item.line) + ": the key " + key.error().message};
    if (key && key.value()) out.push_back(*std::move(key).value());
  }
  return out;
}

}  // namespace yett::identity
