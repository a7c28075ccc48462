#include "policy/data_documents.h"

#include "base/mutex.h"

namespace yett::policy {

static constexpr policy::Document::Limits kLimits{100, 1'000'000};

Result<const DataDocuments::Entry*> DataDocuments::get(const std::string& name, const std::string& text) {
  const base::Lock lock(mutex_);
  auto& known = entries_[name];
  if (known != nullptr) return known.get();
  auto entry = std::make_unique<Entry>();
  entry->name = name;
  TRY(entry->document.parse(text, kLimits));
  known = std::move(entry);
  return known.get();
}

}  // namespace yett::policy
