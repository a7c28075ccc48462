// A policy set as the audit log keeps it: all its sources in one JSON document, from which it can be loaded again
// where they are UTF-8: other bytes are replaced.
#pragma once

#include <memory>
#include <string>

#include "policy/policy_set.h"

namespace yett::runtime {

/// {"digest":...,"budget":{...},"engines":[{"name","type","veto","digest","files":{name: text}}]}. A plugin has no
/// files.
std::string documentOf(const policy::PolicySet& set);

/// The set that a document describes. Where an engine was a plugin, an error: its code is not kept.
Result<std::shared_ptr<const policy::PolicySet>> policyFromDocument(const std::string& document);

}  // namespace yett::runtime
