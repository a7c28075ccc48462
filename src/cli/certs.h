// `yett certs init|issue|inspect`: a development CA that mints X.509-SVIDs. For development only: use SPIRE or similar
// in production.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"

namespace yett::cli {

struct IssueOptions {
  std::string directory = "certs/dev";
  std::string spiffe_id;
  std::string name;  ///< file name without extension; default: the last segment of the ID
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::string ttl = "30d";
  std::string issuer;  ///< name of an intermediate authority in the folder; "": the CA itself
  std::string flaw;    ///< one of flaws(); "": none
};

/// What can be wrong with a certificate for tests, by name.
std::vector<std::string> flaws();

int certsInit(const std::string& directory, const std::string& trust_domain, bool force);
int certsIssue(const IssueOptions& options);
/// Makes an authority below the CA: NAME.pem and NAME.key in the folder.
int certsIntermediate(const std::string& directory, const std::string& name, const std::string& ttl);
/// Issues one SVID per profile: a JSON file with `id` and, optionally, `name`, `dns`, `ip` and `ttl`. `defaults` gives
/// the folder.
int certsIssueProfiles(const std::vector<std::string>& files, const IssueOptions& defaults);
/// `config`: also what Yett with this configuration thinks of a caller with these certificates; exit status 1: refused.
/// "": not asked.
int certsInspect(const std::string& file, const std::string& config);

}  // namespace yett::cli
