// Answers of a Workload API, for tests.
#pragma once

#include <string>

#include "workload/messages.h"

namespace yett::test {

struct Workload {
  workload::X509Svid svid;
  std::string pem;  ///< its certificate
};

/// A workload of a trust domain of its own.
Workload workloadOf(const std::string& domain, const std::string& name);

/// X509SVIDResponse.
std::string messageOf(const workload::X509SvidAnswer& answer);
/// X509BundlesResponse (`tag` 2) or JWTBundlesResponse (`tag` 1).
std::string messageOf(const workload::BundlesAnswer& answer, uint32_t tag);

}  // namespace yett::test
