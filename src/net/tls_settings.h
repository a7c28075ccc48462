// What the TLS contexts of both roles have in common.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "base/result.h"

namespace yett::net {

/// Versions, ciphers and groups. TLS 1.2 at least; regardless of the machine's openssl.cnf.
void useProtocols(SSL_CTX* context);

/// The own certificate (leaf first, then intermediates) and its key. Fails if one of them cannot be read or they do not
/// match.
Status useIdentity(SSL_CTX* context, const std::string& certificate_pem, const std::string& private_key_pem);
/// Whether useIdentity() would succeed.
Status checkIdentity(const std::string& certificate_pem, const std::string& private_key_pem);

}  // namespace yett::net
