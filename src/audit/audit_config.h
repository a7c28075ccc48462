// Settings of the audit log.
#pragma once

#include <string>

#include "base/units.h"

namespace yett::audit {

struct AuditConfig {
  std::string database;                      ///< path
  bool strict = false;                       ///< a request goes on only once its record is on disk
  base::Millis batch_interval{5};            ///< how long the writer gathers before a commit
  size_t queue_records = 65'536;             ///< more than this waiting answers 503
  std::string key_file = {};                 ///< path of the Ed25519 key that signs checkpoints; "": none are made
  int64_t checkpoint_records = 10'000;       ///< a checkpoint after so many records,
  base::Millis checkpoint_interval{60'000};  ///< or after so long, if there was any
  bool operator==(const AuditConfig&) const = default;
};

}  // namespace yett::audit
