#include "attack/tls12_writer.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

namespace yett::attack {
namespace {

std::string bigEndian(uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

unsigned char* bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace

Tls12Writer::Tls12Writer(SSL* ssl) {
  std::string master(48, '\0');
  SSL_SESSION_get_master_key(SSL_get_session(ssl), bytes(master), master.size());
  std::string client(32, '\0');
  std::string server(32, '\0');
  SSL_get_client_random(ssl, bytes(client), client.size());
  SSL_get_server_random(ssl, bytes(server), server.size());
  std::string seed = "key expansion" + server + client;
  std::string block(40, '\0');
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                         OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master.data(), master.size()),
                         OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed.data(), seed.size()),
                         OSSL_PARAM_construct_end()};
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  EVP_KDF_derive(context, bytes(block), block.size(), params);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  key_ = block.substr(0, 16);
  salt_ = block.substr(32, 4);
}

std::string Tls12Writer::record(int type, const std::string& body) {
  const std::string sequence = bigEndian(sequence_++, 8);
  const std::string head = std::string(1, static_cast<char>(type)) + "\x03\x03";
  const std::string aad = sequence + head + bigEndian(body.size(), 2);
  std::string nonce = salt_ + sequence;
  std::string out(body.size() + 16, '\0');
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  int n = 0;
  EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nullptr, bytes(key_), bytes(nonce));
  EVP_EncryptUpdate(context, nullptr, &n, reinterpret_cast<const unsigned char*>(aad.data()),
                    static_cast<int>(aad.size()));
  EVP_EncryptUpdate(context, bytes(out), &n, reinterpret_cast<const unsigned char*>(body.data()),
                    static_cast<int>(body.size()));
  EVP_EncryptFinal_ex(context, bytes(out) + n, &n);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, bytes(out) + body.size());
  EVP_CIPHER_CTX_free(context);
  return head + bigEndian(8 + out.size(), 2) + sequence + out;
}

}  // namespace yett::attack
