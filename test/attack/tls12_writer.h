// Makes records of any kind for a TLS 1.2 connection that OpenSSL has set up with AES-128-GCM and SHA-256 (RFC
// 5246 6.3, RFC 5288), including ones that OpenSSL itself would never send.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <string>

namespace yett::attack {

class Tls12Writer {
 public:
  /// REQUIRES: the handshake is done, and `ssl` has sent nothing since.
  explicit Tls12Writer(SSL* ssl);
  /// The bytes of one record.
  std::string record(int type, const std::string& body);

 private:
  std::string key_;
  std::string salt_;
  uint64_t sequence_ = 1;  // the Finished message had number 0
};

}  // namespace yett::attack
