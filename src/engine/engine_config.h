// Settings of one rule engine.
#pragma once

#include <string>

namespace yett::engine {

struct EngineConfig {
  std::string name;
  std::string type;      ///< "lua", "rules" or "plugin"
  std::string path;      ///< directory; of a plugin its shared object
  std::string settings;  ///< of a plugin: path of a file that it is given, or ""
  bool veto = false;
};

}  // namespace yett::engine
