// Cases of policies as Markdown: what stands in a policy directory, and what must come of it. test/README.md says how they
// are written.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace yett::test {

struct PolicyCase {
  struct Request {
    std::string expect;  ///< "allow a": the effect and the rule
    json::Value fields;  ///< the request, and what else must be so
    std::string line;    ///< as written
  };
  std::string name;
  std::map<std::string, std::string> files;
  std::vector<Request> requests;
  std::vector<std::string> problems;  ///< each must stand in what the author is told
  std::string error;                  ///< of an attack: stands in the errors; "none": there are none; "": any
};

/// All cases of test/cases/policy/NAME.md. Throws std::runtime_error, with the line, where the file is not well formed.
std::vector<PolicyCase> readPolicyCases(const std::string& name);

}  // namespace yett::test
