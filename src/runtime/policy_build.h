// Builds policy sets from what was read. Touches no files, except to load a plugin's object.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_trust.h"
#include "config/object_reader.h"
#include "engine/engine_config.h"
#include "policy/policy_set.h"
#include "runtime/inputs.h"

namespace yett::runtime {

/// The set of these engines; null if one has a problem. Reports each problem. Engines whose source is the same as in
/// `previous` (may be null) are reused.
std::shared_ptr<const policy::PolicySet> buildPolicy(std::vector<EngineInput> engines, const policy::Budget& budget,
                                                     const policy::PolicySet* previous,
                                                     std::vector<std::string>& problems);

/// Reads and builds, for commands that need nothing else from a configuration.
std::shared_ptr<const policy::PolicySet> loadPolicy(const std::vector<engine::EngineConfig>& engines,
                                                    const policy::Budget& budget, config::Problems& problems,
                                                    base::FileTrust& trust);

}  // namespace yett::runtime
