// What the Workload API has given, as sources read it. An answer that is not sound changes nothing that it is about.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "identity/source.h"
#include "workload/messages.h"

namespace yett::workload {

/// Not synchronized.
class Given {
 public:
  /// FetchX509SVID. The error says what was refused; everything else is taken.
  Status take(const X509SvidAnswer& answer);
  /// FetchX509Bundles: from then on, bundles that come with an SVID are not used.
  Status takeBundles(const BundlesAnswer& answer);
  /// FetchJWTBundles.
  Status takeJwtBundles(const BundlesAnswer& answer);

  /// Nothing: the API has given none yet.
  bool any() const { return !svids_.empty(); }
  Result<identity::OwnSvid> svid(const std::string& spiffe_id) const;
  identity::TrustBundles::Sources bundles() const;

 private:
  struct Svid {
    std::string spiffe_id;
    identity::OwnSvid pem;
  };
  using Texts = std::map<std::string, std::string>;  // by trust domain
  std::vector<Svid> svids_;
  Texts with_svids_;
  std::optional<Texts> bundles_;
  Texts jwt_bundles_;
  Texts crls_;
};

}  // namespace yett::workload
