#include "base/random.h"

#include <openssl/rand.h>

namespace yett::base {

Result<std::string> randomBytes(size_t size) {
  std::string out(size, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(size)) != 1)
    return Error{"cannot get random bytes from OpenSSL"};
  return out;
}

}  // namespace yett::base
