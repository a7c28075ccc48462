// Policy cases as Markdown: the files of a policy directory, and the expected results. test/README.md describes the
// format.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace yett::test {

struct PolicyCase {
  struct Request {
    std::string expect;  ///< "allow a": the effect and the rule
    json::Value fields;  ///< the request, and more expectations
    std::string line;    ///< as written
  };
  std::string name;
  std::map<std::string, std::string> files;
  std::vector<Request> requests;
  std::vector<std::string> problems;  ///< each must be part of a reported problem
  std::string error;                  ///< of an attack: part of the errors; "none": no errors; "": any error
};

/// All cases of test/cases/policy/NAME.md. Throws std::runtime_error with the line if the file is malformed.
std::vector<PolicyCase> readPolicyCases(const std::string& name);

}  // namespace yett::test
