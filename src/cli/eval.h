// `yett eval`: decides one request and explains why.
#pragma once

#include <string>

namespace yett::cli {

struct EvalOptions {
  std::string directory;
  std::string request;  ///< file with a check request as JSON, or "-"
  std::string http;     ///< file with an HTTP/1.1 request, or "-"
  std::string principal;
  std::string source = "127.0.0.1";
  int64_t time = 0;
  bool explain = false;
  std::string format = "text";  ///< text or json
};

/// Exit status: 0 allowed, 1 denied, 2 a problem in policy or request.
int eval(const EvalOptions& options);

}  // namespace yett::cli
