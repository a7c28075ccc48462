// Cryptographically secure random bytes.
#pragma once

#include <string>

#include "base/result.h"

namespace yett::base {

/// From OpenSSL's generator, which the kernel seeds. Any thread.
Result<std::string> randomBytes(size_t size);

}  // namespace yett::base
