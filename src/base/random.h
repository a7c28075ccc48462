// Random bytes that nobody can guess.
#pragma once

#include <string>

#include "base/result.h"

namespace yett::base {

/// From OpenSSL's generator, which the kernel seeds. Any thread.
Result<std::string> randomBytes(size_t size);

}  // namespace yett::base
