#include "cli/policy_dir.h"

#include <algorithm>
#include <iostream>

#include "policy/policy_source.h"
#include "runtime/policy_build.h"

namespace yett::cli {

std::shared_ptr<const policy::PolicySet> loadPolicyDir(const std::string& directory, config::Problems& problems,
                                                       base::FileTrust& trust) {
  const auto source = policy::PolicySource::read(directory, trust);
  if (!source) {
    problems.add("policy " + source.error().message);
    return nullptr;
  }
  const auto& files = source.value().files;
  const auto any = [&](auto match) { return std::any_of(files.begin(), files.end(), match); };
  const bool lua = any([](const auto& file) { return policy::PolicySource::isPolicyFile(file.first); });
  const bool json = any([](const auto& file) { return file.first.ends_with(".json"); });
  return runtime::loadPolicy({{"main", !lua && json ? "rules" : "lua", directory, "", false}}, {}, problems, trust);
}

size_t reportDoubts(const base::FileTrust& trust) {
  for (const auto& doubt : trust.warnings()) std::cerr << "yett: warning: `yett run` would refuse " << doubt << "\n";
  return trust.warnings().size();
}

int reportProblems(const config::Problems& problems) {
  for (const auto& problem : problems.texts()) std::cerr << "yett: " << problem << "\n";
  std::cerr << "yett: " << problems.texts().size() << (problems.texts().size() == 1 ? " problem\n" : " problems\n");
  return 2;
}

}  // namespace yett::cli
