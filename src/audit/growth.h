// How soon the log will have filled its disk, as it has grown so far.
#pragma once

#include <string>

#include "audit/audit_config.h"

namespace yett::audit {

/// What to say at a start where nothing is ever deleted; "" where retention is configured. Reads the database.
std::string growthWarning(const AuditConfig& config);

/// The same from figures: bytes that records take, microseconds that they are about, bytes that are free.
std::string growthWarning(int64_t bytes, int64_t micros, uint64_t free);

}  // namespace yett::audit
