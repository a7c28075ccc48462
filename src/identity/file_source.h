// Yett's own SVID and the bundles of trust domains from files.
#pragma once

#include "base/file_trust.h"
#include "identity/identity_config.h"
#include "identity/source.h"

namespace yett::identity {

/// Both read when they are asked, and check each file with `trust`. REQUIRES: what they are given outlives them.
class FileSvid final : public SvidSource {
 public:
  FileSvid(const IdentityConfig& config, base::FileTrust& trust) : config_(config), trust_(trust) {}
  /// Empty if no files are configured.
  Result<OwnSvid> svid(const std::string& spiffe_id) const override;

 private:
  const IdentityConfig& config_;
  base::FileTrust& trust_;
};

/// The bundles that the configuration says where to find.
class FileBundles final : public BundleSource {
 public:
  /// `now`: seconds since 1970.
  FileBundles(const IdentityConfig& config, base::FileTrust& trust, int64_t now)
      : config_(config), trust_(trust), now_(now) {}
  /// What cannot be read says so in its `problem`.
  Result<TrustBundles::Sources> bundles() const override;

 private:
  const IdentityConfig& config_;
  base::FileTrust& trust_;
  const int64_t now_;
};

/// Adds the CRLs that the configuration has for bundles that come from elsewhere.
void addCrls(const IdentityConfig& config, base::FileTrust& trust, TrustBundles::Sources& to);

}  // namespace yett::identity
