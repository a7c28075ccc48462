// What the Workload API has given, as sources read it. An answer that is not sound changes nothing that it is about.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "identity/source.h"
#include "workload/messages.h"

namespace yett::workload {

/// Problems of one answer: the first few, and how many more there are.
class ProblemList {
 public:
  void add(const std::string& what) {
    constexpr size_t kShown = 3;
    if (++count_ <= kShown) text_ += (text_.empty() ? "" : "; ") + what;
    else more_ = "; and " + std::to_string(count_ - kShown) + " more";
  }
  Status outcome() const {
    if (count_ == 0) return {};
    return Error{text_ + more_};
  }

 private:
  size_t count_ = 0;
  std::string text_, more_;
};

/// Copyable; not synchronized.
class Given {
 public:
  /// FetchX509SVID. The error says what was refused: all of it if an SVID is not sound, else only some bundles or CRLs,
  /// which stay as they were.
  Status take(const X509SvidAnswer& answer);
  /// FetchX509Bundles. Of this and FetchX509SVID, the bundles of the newer answer count.
  Status takeBundles(const BundlesAnswer& answer);
  /// FetchJWTBundles.
  Status takeJwtBundles(const BundlesAnswer& answer);

  bool any() const { return !ids_.empty(); }
  /// One that is not given any more stays.
  Result<identity::OwnSvid> svid(const std::string& spiffe_id) const;
  identity::TrustBundles::Sources bundles() const;
  bool operator==(const Given&) const = default;

 private:
  using Texts = std::map<std::string, std::string>;  // by trust domain
  void takeCrls(const X509SvidAnswer& answer, const std::set<std::string>& domains, ProblemList& problems);

  std::vector<std::string> ids_;                    // given now
  std::map<std::string, identity::OwnSvid> svids_;  // ever given, by id
  std::string default_;                             // of the ids: the first, until it is given no more
  Texts bundles_;
  Texts jwt_bundles_;
  bool jwt_known_ = false;  // the agent has given some, or said that there are none
  Texts crls_;
};

}  // namespace yett::workload
