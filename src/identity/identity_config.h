// Settings of Yett's own identity and of the identities it trusts.
#pragma once

#include <map>
#include <string>

namespace yett::identity {

struct IdentityConfig {
  std::string certificate;                           ///< path
  std::string private_key;                           ///< path
  std::map<std::string, std::string> trust_bundles;  ///< trust domain -> path
};

}  // namespace yett::identity
