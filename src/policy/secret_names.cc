#include "policy/secret_names.h"

#include <algorithm>
#include <string>

#include "base/text.h"

namespace yett::policy {
namespace {

constexpr std::string_view kParts[] = {"auth",    "cookie",  "token",  "secret",  "passw",     "session",    "api-key",
                                       "apikey",  "api_key", "jwt",    "oidc",    "signature", "credential", "code",
                                       "assertion", "saml",  "bearer", "private-key"};
// Identities by convention: of gateways and load balancers (AWS, Google, Cloudflare, Azure), RFC 9440, RFC 9449.
constexpr std::string_view kWhole[] = {"key",  "sig", "pwd", "pin", "otp", "dpop", "client-cert", "client-cert-chain", "x-userinfo",
                                       "x-ms-client-principal", "x-goog-authenticated-user-id"};

}  // namespace

bool isSecretName(std::string_view sent) {
  const std::string name = base::lowered(sent);
  return std::any_of(std::begin(kParts), std::end(kParts),
                     [&](std::string_view part) { return name.find(part) != std::string::npos; }) ||
         std::find(std::begin(kWhole), std::end(kWhole), name) != std::end(kWhole);
}

}  // namespace yett::policy
