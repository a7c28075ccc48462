// Begins connections to endpoints.
#pragma once

#include <Poco/Net/StreamSocket.h>

#include "base/result.h"
#include "upstream/cluster.h"

namespace yett::upstream {

/// Starts to connect a socket, without waiting. Errors: immediate failures (a missing Unix socket, a full descriptor
/// table).
Result<Poco::Net::StreamSocket> beginConnect(const Endpoint& endpoint);

}  // namespace yett::upstream
