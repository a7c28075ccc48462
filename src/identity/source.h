// Where Yett's own SVID and the bundles of trust domains come from. A source gives what it knows now, without waiting.
#pragma once

#include <string>

#include "base/result.h"
#include "identity/trust_bundle.h"

namespace yett::identity {

/// Yett's own certificate, the leaf first, and its key, as PEM.
struct OwnSvid {
  std::string certificate;
  std::string key;
  bool operator==(const OwnSvid&) const = default;
};

class SvidSource {
 public:
  virtual ~SvidSource() = default;
  /// `spiffe_id`: which one, if there may be several; "": the first, and then the same as long as it is given. The
  /// error says why there is none.
  virtual Result<OwnSvid> svid(const std::string& spiffe_id) const = 0;
};

class BundleSource {
 public:
  virtual ~BundleSource() = default;
  virtual Result<TrustBundles::Sources> bundles() const = 0;
};

}  // namespace yett::identity
