// TLS to the receivers of records: verified against the configured bundle only, at least TLS 1.2.
#pragma once

#include <Poco/Net/Context.h>

#include "sink/sink_config.h"

namespace yett::sink {

/// Throws Poco::Exception if a file cannot be used. Any thread.
Poco::Net::Context::Ptr clientContext(const SinkConfig& config);

}  // namespace yett::sink
