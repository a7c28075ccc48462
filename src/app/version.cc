#include "app/version.h"

namespace yett::app {

std::string versionCommit() {
  return YETT_COMMIT;
}

std::string versionLine() {
  const std::string commit = versionCommit();
  return std::string("yett ") + YETT_VERSION + (commit.empty() ? "" : " (" + commit + ")");
}

std::string versionText() {
  return versionLine() + "\nbuilt with " + YETT_LIBRARIES + "\n";
}

}  // namespace yett::app
