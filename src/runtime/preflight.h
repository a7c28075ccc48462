// What `yett run` needs beside sound files: folders that can be written, addresses that can be bound, a certificate
// that callers accept. Looks, and changes nothing.
#pragma once

#include <string>
#include <vector>

#include "runtime/generation.h"

namespace yett::runtime {

struct Preflight {
  std::vector<std::string> problems;  ///< `yett run` would not start
  std::vector<std::string> warnings;  ///< it would start, and somebody would be surprised
  std::string certificate;            ///< one line for people; "" if there is none
  std::string disk;                   ///< one line for people: what the audit log may take, and what is free
};

Preflight preflight(const Generation& generation);

}  // namespace yett::runtime
