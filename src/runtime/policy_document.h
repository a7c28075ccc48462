// A policy set as the audit log keeps it: the exact bytes of all files that it uses in one JSON document, from which it
// can be loaded again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/policy_set.h"

namespace yett::runtime {

/// {"digest":...,"budget":{...},"owned_headers":[...],"engines":[{"name","type","veto","digest","files":{name: text},
/// "hex_files":{name: bytes}}]}. `owned_headers`: those that its rules set, which nobody else can. `hex_files`: files
/// whose name or text is not UTF-8, both in hex; left out where there are none. A plugin has no files.
std::string documentOf(const policy::PolicySet& set);

/// The set that a document describes. Where an engine was a plugin, an error: its code is not kept.
Result<std::shared_ptr<const policy::PolicySet>> policyFromDocument(const std::string& document);

/// The headers that a document says its policy sets; none where it does not say.
std::optional<std::vector<std::string>> ownedHeadersOf(const std::string& document);

}  // namespace yett::runtime
