// TLS towards those who take the records: verified against the configured bundle and no other, TLS 1.2 at the least.
#pragma once

#include <Poco/Net/Context.h>

#include "sink/sink_config.h"

namespace yett::sink {

/// Throws Poco::Exception where a file cannot be taken. Any thread.
Poco::Net::Context::Ptr clientContext(const SinkConfig& config);

}  // namespace yett::sink
