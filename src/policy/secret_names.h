// Which names mean that a value is a credential or identifies a caller: such values are never recorded in clear.
#pragma once

#include <string>
#include <string_view>

namespace yett::policy {

/// For the name of a header or query key, in any case: docs/audit.md lists what counts.
bool isSecretName(std::string_view name);

/// A line of a policy (Lua or JSON) with `(masked)` in place of each string that looks like a credential: by its form
/// (a bearer token, a JWT, a key of a known provider, a long random text), or because a secret name precedes it. The
/// unchanged line if there is none.
std::string withoutCredentials(std::string_view line);

}  // namespace yett::policy
