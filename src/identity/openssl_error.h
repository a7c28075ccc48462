// What OpenSSL has to say about the last failure of this thread; empties its error queue.
#pragma once

#include <string>

namespace yett::identity {

std::string opensslError();

}  // namespace yett::identity
