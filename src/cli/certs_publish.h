// `yett certs revoke` and `yett certs bundle`: what the development CA publishes besides certificates.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace yett::cli {

struct RevokeOptions {
  std::string directory = "certs/dev";
  std::vector<std::string> files;  ///< certificates; none: only renews the CRL
  std::string ttl = "7d";          ///< until the next update
  std::string out;                 ///< "": crl.pem in the folder
};

int certsRevoke(const RevokeOptions& options);

struct BundleOptions {
  std::string file;  ///< PEM; "": the CA's own
  std::string directory = "certs/dev";
  int64_t sequence = 1;
  std::string refresh = "5m";
};

/// Prints a bundle document.
int certsBundle(const BundleOptions& options);

}  // namespace yett::cli
