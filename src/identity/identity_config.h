// Settings of Yett's own identity and of the identities it trusts.
#pragma once

#include <map>
#include <string>

namespace yett::identity {

/// Where the bundle of a trust domain is.
struct BundleConfig {
  BundleConfig() = default;
  BundleConfig(std::string path) : file(std::move(path)) {}
  std::string file;
  std::string crl;  ///< "": none
  bool crl_required = false;
};

struct IdentityConfig {
  std::string certificate;                            ///< path
  std::string private_key;                            ///< path
  std::map<std::string, BundleConfig> trust_bundles;  ///< by trust domain
};

}  // namespace yett::identity
