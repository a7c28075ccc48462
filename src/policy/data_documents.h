// The `data` documents of a policy directory, each parsed only once for all states.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "policy/document.h"

namespace yett::policy {

/// Any thread.
class DataDocuments {
 public:
  struct Entry {
    std::string name;
    policy::Document document;
  };
  /// The document of this file; lives as long as this object. Errors: "line 3: ...". REQUIRES: `text` outlives this
  /// object, and is always the same for the same name.
  Result<const Entry*> get(const std::string& name, const std::string& text);

 private:
  base::Mutex mutex_;
  std::map<std::string, std::unique_ptr<const Entry>> entries_ YETT_GUARDED_BY(mutex_);
};

}  // namespace yett::policy
