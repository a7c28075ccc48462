// Which names say that a value is a credential or stands for a caller: such values are never written in clear.
#pragma once

#include <string_view>

namespace yett::policy {

/// Of a header or a query key, in any case: docs/audit.md lists what counts.
bool isSecretName(std::string_view name);

}  // namespace yett::policy
