#include "support/signing.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include "base/base64.h"

namespace yett::test {
namespace {

std::string number(EVP_PKEY* key, const char* name, size_t size) {
  BIGNUM* value = nullptr;
  EVP_PKEY_get_bn_param(key, name, &value);
  std::string out(size > 0 ? size : static_cast<size_t>(BN_num_bytes(value)), '\0');
  BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size()));
  BN_free(value);
  return url(out);
}

size_t coordinate(const std::string& curve) {
  return curve == "P-256" ? 32 : curve == "P-384" ? 48 : 66;
}

}  // namespace

std::string url(std::string_view bytes) {
  std::string out = base::toBase64(bytes);
  while (out.ends_with('=')) out.pop_back();
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

SigningKey SigningKey::rsa(int bits, const std::string& id) {
  SigningKey out;
  out.kind_ = "RSA";
  out.id_ = id;
  out.key_ = {EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(bits)), EVP_PKEY_free};
  return out;
}

SigningKey SigningKey::ec(const std::string& curve, const std::string& id) {
  SigningKey out;
  out.kind_ = curve;
  out.id_ = id;
  out.key_ = {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.c_str()), EVP_PKEY_free};
  return out;
}

SigningKey SigningKey::ed25519(const std::string& id) {
  SigningKey out;
  out.kind_ = "Ed25519";
  out.id_ = id;
  out.key_ = {EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free};
  return out;
}

std::string SigningKey::jwk() const {
  const std::string end = R"(","kid":")" + id_ + R"(","use":"sig"})";
  if (kind_ == "RSA")
    return R"({"kty":"RSA","n":")" + number(key_.get(), OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")" +
           number(key_.get(), OSSL_PKEY_PARAM_RSA_E, 0) + end;
  if (kind_ == "Ed25519") {
    std::string raw(32, '\0');
    size_t size = raw.size();
    EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size);
    return R"({"kty":"OKP","crv":"Ed25519","x":")" + url(raw) + end;
  }
  return R"({"kty":"EC","crv":")" + kind_ + R"(","x":")" +
         number(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, coordinate(kind_)) + R"(","y":")" +
         number(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, coordinate(kind_)) + end;
}

std::string SigningKey::derSignature(identity::JwsAlgorithm algorithm, const std::string& input) const {
  const std::string_view named = identity::name(algorithm);
  const std::string digest = "SHA" + std::string(named.substr(2));
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* settings = nullptr;
  EVP_DigestSignInit_ex(context, &settings, kind_ == "Ed25519" ? nullptr : digest.c_str(), nullptr, nullptr, key_.get(),
                        nullptr);
  if (named.starts_with("PS")) {
    EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST);
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
  size_t size = 0;
  EVP_DigestSign(context, nullptr, &size, bytes, input.size());
  std::string out(size, '\0');
  EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size, bytes, input.size());
  out.resize(size);
  EVP_MD_CTX_free(context);
  return out;
}

std::string SigningKey::token(identity::JwsAlgorithm algorithm, const std::string& claims) const {
  return signedAs(algorithm, R"({"alg":")" + std::string(identity::name(algorithm)) + R"(","kid":")" + id_ + "\"}",
                  claims);
}

std::string SigningKey::signedAs(identity::JwsAlgorithm algorithm, const std::string& header,
                                 const std::string& claims) const {
  const std::string input = url(header) + "." + url(claims);
  std::string signature = derSignature(algorithm, input);
  if (kind_.starts_with("P-")) {
    const auto* at = reinterpret_cast<const unsigned char*>(signature.data());
    ECDSA_SIG* parsed = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(signature.size()));
    const size_t size = coordinate(kind_);
    signature.assign(2 * size, '\0');
    auto* raw = reinterpret_cast<unsigned char*>(signature.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), raw, static_cast<int>(size));
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), raw + size, static_cast<int>(size));
    ECDSA_SIG_free(parsed);
  }
  return input + "." + url(signature);
}

}  // namespace yett::test
