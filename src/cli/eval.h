// `yett eval`: decides one request and explains why.
#pragma once

#include <string>

#include "cli/policy_dir.h"
#include "runtime/check_input.h"

namespace yett::cli {

struct EvalOptions {
  PolicySelection policy;
  std::string request;     ///< file with a check request as JSON, or "-"
  std::string http;        ///< file with an HTTP/1.1 request, or "-"
  runtime::Caller caller;  ///< with `http`
  bool explain = false;
  std::string format = "text";  ///< text or json
};

/// Exit status: 0 allowed, 1 denied, 2 a problem in policy or request.
int eval(const EvalOptions& options);

}  // namespace yett::cli
