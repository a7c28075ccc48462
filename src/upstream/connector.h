// Begins connections to endpoints.
#pragma once

#include <Poco/Net/StreamSocket.h>

#include "base/result.h"
#include "upstream/cluster.h"

namespace yett::upstream {

/// A socket that connects, without waiting for it. Errors: what fails at once (a Unix socket that is not there, a full
/// table of descriptors).
Result<Poco::Net::StreamSocket> beginConnect(const Endpoint& endpoint);

}  // namespace yett::upstream
