// The messages of the SPIFFE Workload API (workload.proto), read from and written to protobuf.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::workload {

/// X509SVID. The fields are DER.
struct X509Svid {
  std::string spiffe_id;
  std::string chain;   ///< the certificates one after the other, the leaf first
  std::string key;     ///< PKCS #8
  std::string bundle;  ///< the authorities of its trust domain, one after the other
  std::string hint;
};

/// X509SVIDResponse.
struct X509SvidAnswer {
  std::vector<X509Svid> svids;
  std::vector<std::string> crls;                 ///< DER
  std::map<std::string, std::string> federated;  ///< authorities by trust domain, as in X509Svid
};

/// X509BundlesResponse and JWTBundlesResponse: by trust domain, authorities as in X509Svid or a JWK Set.
using BundlesAnswer = std::map<std::string, std::string>;

struct JwtSvid {
  std::string spiffe_id;
  std::string token;
  std::string hint;
};

/// The names of trust domains lose their `spiffe://`. Fields that are not known are skipped. Errors: bytes that are not
/// a message, one trust domain twice.
Result<X509SvidAnswer> readX509Svids(std::string_view message);
Result<BundlesAnswer> readX509Bundles(std::string_view message);
Result<BundlesAnswer> readJwtBundles(std::string_view message);
Result<std::vector<JwtSvid>> readJwtSvids(std::string_view message);

/// JWTSVIDRequest. `spiffe_id`: "" for all identities.
std::string jwtSvidRequest(const std::vector<std::string>& audiences, const std::string& spiffe_id);

}  // namespace yett::workload
