// Checks what `yett run` needs besides valid files: writable folders, addresses that can be bound, a certificate that
// callers accept. Changes nothing.
#pragma once

#include <string>
#include <vector>

#include "runtime/generation.h"

namespace yett::runtime {

struct Preflight {
  std::vector<std::string> problems;  ///< `yett run` would not start
  std::vector<std::string> warnings;  ///< `yett run` would start, but not as expected
  std::vector<std::string> notes;     ///< worth a look, and no reason to refuse: an address in use by a running yett
  std::string certificate;            ///< one line for people; "" if there is none
  std::string disk;                   ///< one line for people: disk space of the audit log, limit and free
};

Preflight preflight(const Generation& generation);

}  // namespace yett::runtime
