#include "base/sha1.h"

#include <openssl/evp.h>

namespace yett::base {

std::string sha1(std::string_view bytes) {
  std::string out(20, '\0');
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size, EVP_sha1(), nullptr);
  return out;
}

}  // namespace yett::base
