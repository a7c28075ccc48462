// What a principal's id says: a SPIFFE ID, or the name of a caller without one.
#pragma once

#include <string_view>

#include "base/result.h"
#include "identity/principal.h"

namespace yett::identity {

/// A caller without a SPIFFE ID is `dns:corp/host.name` or `cn:corp/name`: how it is named, the name of the CA's entry
/// in the configuration, and its name. In Principal and TrustBundles the part before the slash stands in place of the
/// trust domain; no trust domain has a colon.
inline constexpr std::string_view kByDns = "dns:";
inline constexpr std::string_view kByCommonName = "cn:";

/// `text` begins as the name of such a caller does.
bool isNamed(std::string_view text);

/// "dns:corp", "cn:corp": what stands in place of a trust domain.
bool isNamingAuthority(std::string_view text);

/// The principal with this id: a SPIFFE ID, or the name of such a caller. Without anything of its certificate.
Result<Principal> principalWithId(std::string_view id);

/// Whether `name` can be the part after the slash. DNS names: lower case letters, digits, `-` and `_`, in labels.
/// Common names: letters, digits, spaces inside, and `.-_@:`.
Status checkName(std::string_view authority, std::string_view name);

}  // namespace yett::identity
