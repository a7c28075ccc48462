// Creates keys and certificates: for the development CA of `yett certs` and for the broken certificates in tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace yett::identity {

struct KeyAndCertificate {
  std::string key_pem;  ///< PKCS#8, not encrypted
  std::string certificate_pem;
};

/// The contents of a certificate. With a URI and times set, the defaults make a valid X.509-SVID.
struct CertificateSpec {
  std::string common_name = "yett";
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  bool ca = false;
  const char* key_usage = nullptr;                           ///< null: derived from `ca`; "": no such extension
  const char* extended_key_usage = "serverAuth,clientAuth";  ///< "": no such extension
  int64_t not_before = 0;                                    ///< seconds since 1970
  int64_t not_after = 0;
};

/// A P-256 key and its certificate, signed by `issuer`, or by itself when `issuer` is null.
Result<KeyAndCertificate> mint(const CertificateSpec& spec, const KeyAndCertificate* issuer);

/// The URI SANs of the first certificate in `pem`; that of a CA is its trust domain (X509-SVID 2).
Result<std::vector<std::string>> uriNames(const std::string& pem);

/// A human-readable description of the first certificate in `pem`, as lines of text.
Result<std::string> describeCertificate(const std::string& pem);

}  // namespace yett::identity
