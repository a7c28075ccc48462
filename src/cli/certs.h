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
};

int certsInit(const std::string& directory, const std::string& trust_domain, bool force);
int certsIssue(const IssueOptions& options);
/// Issues one SVID per profile: a JSON file with `id` and, optionally, `name`, `dns`, `ip` and `ttl`. `defaults` gives
/// the folder.
int certsIssueProfiles(const std::vector<std::string>& files, const IssueOptions& defaults);
/// `config`: also what Yett with this configuration thinks of a caller with these certificates; exit status 1: refused.
/// "": not asked.
int certsInspect(const std::string& file, const std::string& config);

}  // namespace yett::cli
