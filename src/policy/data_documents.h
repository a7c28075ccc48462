// The `data` documents of a policy directory, each parsed once, however many states read it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "policy/document.h"

namespace yett::policy {

/// Any thread.
class DataDocuments {
 public:
  struct Entry {
    std::string name;
    policy::Document document;
  };
  /// The document of this file; lives as long as this. Errors: "line 3: ...". REQUIRES: `text` outlives this, and is
  /// the same for the same name.
  Result<const Entry*> get(const std::string& name, const std::string& text);

 private:
  std::mutex mutex_;  // protects what follows
  std::map<std::string, std::unique_ptr<const Entry>> entries_;
};

}  // namespace yett::policy
