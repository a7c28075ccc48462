// Which names mean that a value is a credential or identifies a caller: such values are never recorded in clear.
#pragma once

#include <string>
#include <string_view>

namespace yett::policy {

/// For the name of a header or query key, in any case: docs/audit.md lists what counts.
bool isSecretName(std::string_view name);

/// Whether there is a signed token in a text: a JWT by its form (RFC 7519 3).
bool holdsJwt(std::string_view text);

/// A line of a policy (Lua or JSON) with `(masked)` in place of each string that looks like a credential: by its form
/// (a bearer token, a JWT, a key of a known provider, a long random text), or because a secret name precedes it. The
/// unchanged line if there is none.
std::string withoutCredentials(std::string_view line);

}  // namespace yett::policy
