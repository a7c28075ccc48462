// Estimates when the log will fill its disk, from its growth so far.
#pragma once

#include <string>

#include "audit/audit_config.h"

namespace yett::audit {

/// The warning at startup if nothing is ever deleted; "" if retention is configured. Reads the database.
std::string growthWarning(const AuditConfig& config);

/// The same from numbers: bytes of the records, the time that they span in microseconds, free bytes.
std::string growthWarning(int64_t bytes, int64_t micros, uint64_t free);

}  // namespace yett::audit
