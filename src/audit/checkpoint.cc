#include "audit/checkpoint.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/sha256.h"
#include "base/text.h"

namespace yett::audit {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Bio reader(std::string_view pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Result<std::string> publicHalf(EVP_PKEY* key) {
  if (EVP_PKEY_id(key) != EVP_PKEY_ED25519) return Error{"is not an Ed25519 key: create one with `yett certs init`"};
  std::string out(32, '\0');
  size_t size = out.size();
  if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(out.data()), &size) != 1 || size != out.size())
    return Error{"has no public key"};
  return out;
}

std::string taken(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

// Never prompts for a passphrase.
int noPassphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

Result<std::shared_ptr<const SigningKey>> SigningKey::fromPem(std::string_view pem) {
  std::shared_ptr<SigningKey> out(new SigningKey);
  out->key_ = PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, noPassphrase, nullptr);
  if (out->key_ == nullptr && pem.find("ENCRYPTED") != std::string_view::npos)
    return Error{"has a passphrase, and yett cannot ask for it: store the key without one"};
  if (out->key_ == nullptr) return Error{"does not contain a private key in PEM format"};
  out->public_key_ = TRY(publicHalf(out->key_));
  return std::shared_ptr<const SigningKey>(std::move(out));
}

SigningKey::~SigningKey() {
  EVP_PKEY_free(key_);
}

Result<std::string> SigningKey::sign(std::string_view message) const {
  std::string out(64, '\0');
  size_t size = out.size();
  const Digest context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes(message),
                     message.size()) != 1 ||
      size != out.size())
    return Error{"a checkpoint cannot be signed"};
  return out;
}

Result<std::string> publicKeyFromPem(std::string_view pem) {
  Key key(PEM_read_bio_PUBKEY(reader(pem).get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!key) key.reset(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, noPassphrase, nullptr));
  if (!key) return Error{"does not contain a key in PEM format"};
  return publicHalf(key.get());
}

std::string keyId(std::string_view public_key) {
  return base::sha256Hex(public_key).substr(0, 16);
}

bool verifySignature(std::string_view public_key, std::string_view message, std::string_view signature) {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(public_key), public_key.size()),
                EVP_PKEY_free);
  const Digest context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return key && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(message), message.size()) == 1;
}

std::string checkpointMessage(std::string_view log_id, int64_t seq, std::string_view prev, std::string_view next_key) {
  std::string out(next_key.empty() ? "yett audit checkpoint v1" : "yett audit key change v1");
  out += '\0';
  out += log_id;
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<uint64_t>(seq) >> shift);
  out += prev;
  out += next_key;
  return out;
}

Result<KeyPair> generateSigningKey() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  const Bio priv(BIO_new(BIO_s_mem()), BIO_free);
  const Bio pub(BIO_new(BIO_s_mem()), BIO_free);
  if (!key || PEM_write_bio_PKCS8PrivateKey(priv.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_PUBKEY(pub.get(), key.get()) != 1)
    return Error{"an Ed25519 key cannot be generated"};
  return KeyPair{taken(priv.get()), taken(pub.get())};
}

}  // namespace yett::audit
