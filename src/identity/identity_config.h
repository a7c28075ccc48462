// Settings of Yett's own identity and of the identities it trusts.
#pragma once

#include <map>
#include <string>

#include "base/units.h"

namespace yett::identity {

/// Where the bundle of a trust domain is, or the key set of a provider of tokens.
struct BundleConfig {
  std::string file;  ///< with an endpoint: used until its first answer; "": none, or what the Workload API gives
  std::string crl;   ///< "": none
  bool crl_required = false;
  std::string endpoint;            ///< an https URL; "": only the file
  std::string endpoint_spiffe_id;  ///< profile https_spiffe: whom the server must prove to be; "": https_web
  std::string ca;                  ///< https_web: file of authorities; "": those of the system
  base::Millis timeout{10'000};
  base::Millis max_stale{7 * 86'400'000};
  std::string cache;        ///< file that keeps the endpoint's last answer
  bool key_set = false;     ///< a JWK Set, not a bundle
  base::Millis refresh{0};  ///< how often a key set is asked for; a bundle says so itself
  /// It says where the bundle is; else the Workload API gives it.
  bool given() const { return !file.empty() || !endpoint.empty(); }
  bool operator==(const BundleConfig&) const = default;
};

/// The answers so far of the endpoint that is configured now. Kept when the last one is too old, so that an older one
/// cannot come back.
struct BundleHistory {
  int64_t refreshed = 0;  ///< seconds since 1970; 0: never
  int64_t sequence = -1;  ///< the largest `spiffe_sequence`; -1: none had one
};
/// The file that holds it, and what it says.
std::string historyFile(const BundleConfig& config);
BundleHistory historyOf(const BundleConfig& config);
std::string textOf(const BundleConfig& config, const BundleHistory& history);
/// The endpoint's last answer if it is not too old, or the file until there was one; "": neither.
std::string currentFile(const BundleConfig& config, int64_t now);
/// The endpoint's last answer is not too old.
bool isFresh(const BundleConfig& config, int64_t now);

struct IdentityConfig {
  std::string workload_api;    ///< absolute path of the socket of a SPIFFE Workload API; "": none
  std::string spiffe_id;       ///< which of the SVIDs that it gives; "": the first
  std::string unsafe_key_log;  ///< file that gets the keys of TLS connections; "": none
  std::string certificate;     ///< path; "" with a Workload API
  std::string private_key;     ///< path
  std::map<std::string, BundleConfig>
      trust_bundles;  ///< by trust domain; also `dns:NAME` and `cn:NAME`, for callers without a SPIFFE ID
};

}  // namespace yett::identity
