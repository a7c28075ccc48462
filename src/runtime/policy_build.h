// Sets of rules from what was read. Touches no file, but for loading a plugin's object.
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

/// The set of these engines; null where one has a problem, each of which is noted. Engines whose source is that of
/// `previous` (or null) are taken over.
std::shared_ptr<const policy::PolicySet> buildPolicy(std::vector<EngineInput> engines, const policy::Budget& budget,
                                                     const policy::PolicySet* previous,
                                                     std::vector<std::string>& problems);

/// Reads and builds, for commands that need no more of a configuration.
std::shared_ptr<const policy::PolicySet> loadPolicy(const std::vector<engine::EngineConfig>& engines,
                                                    const policy::Budget& budget, config::Problems& problems,
                                                    base::FileTrust& trust);

}  // namespace yett::runtime
