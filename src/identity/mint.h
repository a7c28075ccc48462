// Makes keys and certificates: the development CA behind `yett certs`, and the tests' broken certificates.
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

/// What a certificate says. With a URI and times the defaults make a sound X.509-SVID.
struct CertificateSpec {
  std::string common_name = "yett";
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  bool ca = false;
  const char* key_usage = nullptr;                           ///< null: what fits `ca`; "": no such extension
  const char* extended_key_usage = "serverAuth,clientAuth";  ///< "": no such extension
  int64_t not_before = 0;                                    ///< seconds since 1970
  int64_t not_after = 0;
};

/// A P-256 key and its certificate, signed by `issuer`, or by itself when `issuer` is null.
Result<KeyAndCertificate> mint(const CertificateSpec& spec, const KeyAndCertificate* issuer);

/// The URI names (SAN) of a certificate, the first in `pem`: a CA's is its trust domain (X509-SVID 2).
Result<std::vector<std::string>> uriNames(const std::string& pem);

/// What a person wants to know of a certificate (the first in `pem`), as lines of text.
Result<std::string> describeCertificate(const std::string& pem);

}  // namespace yett::identity
