// Policy tests, written in `*_test.lua` files next to the policies:
//   test "name" { principal = ..., http = "..." or request = { ... }, expect = allowed "rule" }
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "policy/policy_source.h"
#include "policy/rule_engine.h"

namespace yett::lua {

struct Expectation {
  enum class Kind : uint8_t { kAllowed, kDenied, kRejected };
  Kind kind = Kind::kDenied;
  bool by_default = false;
  std::string rule;  ///< "rule" or "policy/rule"; "": any
  /// In the syntax of test files.
  std::string text() const;
};

struct PolicyTest {
  std::string name;
  std::string file;
  int line = 0;
  std::string http;     ///< a whole HTTP/1.1 request, or ""
  json::Value request;  ///< an object of schemas/check-request.schema.json; with `http` only the caller's fields
  Expectation expect;
  std::vector<std::pair<std::string, std::string>> sets;  ///< headers that the decision must set, and their values
};

/// All tests of the source, in the order of files and lines. Adds every mistake to `problems`: "file:line: ...".
std::vector<PolicyTest> loadTests(const policy::PolicySource& source, std::vector<std::string>& problems,
                                  policy::Budget budget = {200'000'000, uint64_t{1} << 30});

}  // namespace yett::lua
