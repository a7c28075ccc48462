#include "cli/policy_dir.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "base/text.h"
#include "cli/command.h"
#include "config/config.h"
#include "engine/engine_config.h"
#include "policy/policy_source.h"
#include "runtime/policy_build.h"

namespace yett::cli {

namespace {

// `rules` if the directory has JSON files and no Lua policy.
Result<std::string> engineOf(const std::string& directory, base::FileTrust& trust) {
  const auto source = policy::PolicySource::read(directory, trust);
  if (!source) return source.error();
  const auto& files = source.value().files;
  const auto any = [&](auto match) { return std::any_of(files.begin(), files.end(), match); };
  const bool lua = any([](const auto& file) { return policy::PolicySource::isPolicyFile(file.first); });
  const bool json = any([](const auto& file) { return file.first.ends_with(".json"); });
  return std::string(!lua && json ? "rules" : "lua");
}

// "rules/orders/" -> "orders"; unlike those in `taken`.
std::string nameOf(const std::string& directory, const std::vector<engine::EngineConfig>& taken) {
  auto path = std::filesystem::path(directory).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  std::string name = path.filename().string();
  const auto used = [&] {
    return std::any_of(taken.begin(), taken.end(), [&](const auto& engine) { return engine.name == name; });
  };
  if (name.empty() || name == "." || name == "..") name = "main";
  for (int n = 2; used(); ++n) name += std::to_string(n);
  return name;
}

}  // namespace

std::shared_ptr<const policy::PolicySet> loadPolicyDir(const std::string& directory, config::Problems& problems,
                                                       base::FileTrust& trust) {
  Selected selected;
  return loadSelection({"", {directory}}, selected, problems, trust);
}

namespace {

// The engines that a selection stands for.
std::vector<engine::EngineConfig> enginesOf(const PolicySelection& selection, policy::Budget& budget,
                                            std::optional<identity::JwtProviderConfigs>& providers,
                                            config::Problems& problems, base::FileTrust& trust) {
  if (selection.directories.empty()) {
    auto config = config::readConfig(selection.config, problems, trust);
    budget = config.budget;
    providers = std::move(config.jwt);
    return std::move(config.engines);
  }
  std::vector<engine::EngineConfig> out;
  for (const auto& directory : selection.directories) {
    auto type = engineOf(directory, trust);
    if (!type) problems.add("policy " + type.error().message);
    else
      out.push_back(
          {selection.directories.size() == 1 ? "main" : nameOf(directory, out), type.value(), directory, "", false});
  }
  return out;
}

std::vector<PolicyFolder> foldersOf(const std::vector<engine::EngineConfig>& engines) {
  std::vector<PolicyFolder> out;
  for (const auto& engine : engines) {
    if (engine.type != "plugin") out.push_back({engine.name, engine.path});
  }
  return out;
}

}  // namespace

std::vector<std::string> Selected::ownedHeaders(const policy::PolicySet& set) const {
  std::vector<std::string> out = set.ownedHeaders();
  if (!providers) return out;
  for (const auto& [name, provider] : *providers) {
    for (const auto& [header, text] : provider.headers) out.push_back(header);
  }
  return out;
}

std::shared_ptr<const policy::PolicySet> loadSelection(const PolicySelection& selection, Selected& selected,
                                                       config::Problems& problems, base::FileTrust& trust) {
  policy::Budget budget;
  const auto engines = enginesOf(selection, budget, selected.providers, problems, trust);
  selected.folders = foldersOf(engines);
  return problems.any() ? nullptr : runtime::loadPolicy(engines, budget, problems, trust);
}

std::string fingerprintOf(const PolicySelection& selection) {
  config::Problems ignored(selection.config);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  policy::Budget budget;
  std::optional<identity::JwtProviderConfigs> providers;
  std::string out;
  for (const auto& folder : foldersOf(enginesOf(selection, budget, providers, ignored, trust))) {
    const auto source = policy::PolicySource::read(folder.path, trust);
    out += folder.engine + folder.path + (source ? source.value().digest : source.error().message);
  }
  for (const auto& text : ignored.texts()) out += text;
  return out;
}

void addSelection(CLI::App& command, PolicySelection& selection) {
  command.add_option("dir", selection.directories,
                     "policy directory; several are engines of one policy (default: the engines of the configuration)");
  addConfig(command, selection.config);
}

size_t reportDoubts(const base::FileTrust& trust) {
  for (const auto& doubt : trust.warnings())
    std::cerr << "yett: warning: `yett run` would refuse " << base::forTerminal(doubt) << "\n";
  return trust.warnings().size();
}

int reportProblems(const config::Problems& problems) {
  for (const auto& problem : problems.texts()) std::cerr << "yett: " << base::forTerminal(problem) << "\n";
  std::cerr << "yett: " << problems.texts().size() << (problems.texts().size() == 1 ? " problem\n" : " problems\n");
  return 2;
}

}  // namespace yett::cli
