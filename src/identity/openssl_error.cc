#include "identity/openssl_error.h"

#include <openssl/err.h>

namespace yett::identity {

std::string opensslError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason != nullptr ? reason : "unknown error";
}

}  // namespace yett::identity
