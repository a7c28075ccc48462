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
/// "hex_files":{name: bytes}}]}. `owned_headers`: headers that only its rules may set. `hex_files`: files whose name
/// or text is not UTF-8, both in hex; omitted if there are none. A plugin has no files.
std::string documentOf(const policy::PolicySet& set);

/// The set that a document describes. An error if an engine was a plugin: its code is not kept.
Result<std::shared_ptr<const policy::PolicySet>> policyFromDocument(const std::string& document);

/// The headers that its policy sets, according to a document; nothing if it does not say.
std::optional<std::vector<std::string>> ownedHeadersOf(const std::string& document);

}  // namespace yett::runtime
