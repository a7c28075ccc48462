// How notices about clusters are called in the log and in the audit trail.
#pragma once

#include "upstream/notice.h"

namespace yett::app {

/// Never change a text: events have it.
inline const char* eventOf(upstream::Notice notice) {
  using upstream::Notice;
  switch (notice) {
    case Notice::kEjected: return "endpoint ejected";
    case Notice::kReturned: return "endpoint back";
    case Notice::kUnhealthy: return "endpoint unhealthy";
    case Notice::kHealthy: return "endpoint healthy";
    case Notice::kUntrusted: return "endpoint not trusted";
    case Notice::kPanic: return "too few healthy endpoints: all are used";
    case Notice::kPanicOver: return "enough healthy endpoints again";
    case Notice::kUnresolved: return "name not resolved";
    case Notice::kResolved: return "name resolved";
  }
  return "";
}

inline bool isGood(upstream::Notice notice) {
  using upstream::Notice;
  return notice == Notice::kReturned || notice == Notice::kHealthy || notice == Notice::kPanicOver ||
         notice == Notice::kResolved;
}

}  // namespace yett::app
