// Settings of one rule engine.
#pragma once

#include <string>

namespace yett::engine {

struct EngineConfig {
  std::string name;
  std::string type;      ///< "lua", "rules" or "plugin"
  std::string path;      ///< directory; for a plugin: its shared object
  std::string settings;  ///< for a plugin: path of its settings file, or ""
  bool veto = false;
};

}  // namespace yett::engine
