// Says ahead of time that Yett's own certificate or a CRL ends, and that keys are written. Main thread only.
#pragma once

#include <map>
#include <string>

#include "base/log.h"
#include "identity/expiry_notice.h"
#include "runtime/generation.h"

namespace yett::app {

class ExpiryWatch {
 public:
  explicit ExpiryWatch(base::Logger& log) : log_(log) {}
  /// Call every few seconds, and after a reload. `now`: seconds since 1970.
  void look(const runtime::Generation& generation, int64_t now);

 private:
  base::Logger& log_;
  std::string key_log_;  // as it was said
  bool early_ = false;   // likewise
  identity::ExpiryNotice own_;
  std::map<std::string, identity::ExpiryNotice> crls_;  // by trust domain
  std::map<std::string, std::string> unused_;           // CRLs, by trust domain; as it was said
};

}  // namespace yett::app
