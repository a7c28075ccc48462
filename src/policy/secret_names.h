// Which names say that a value is a credential or stands for a caller: such values are never written in clear.
#pragma once

#include <string>
#include <string_view>

namespace yett::policy {

/// Of a header or a query key, in any case: docs/audit.md lists what counts.
bool isSecretName(std::string_view name);

/// A line of a policy (Lua or JSON) with `(masked)` in place of each string that looks like a credential: by its form
/// (a bearer token, a JWT, a key of a known provider, a long random text), or since the name before it is a secret one.
/// The line itself where there is none.
std::string withoutCredentials(std::string_view line);

}  // namespace yett::policy
