#include "runtime/policy_build.h"

#include "base/file_trust.h"
#include "config/object_reader.h"
#include "engine/json_engine.h"
#include "engine/plugin_engine.h"
#include "lua/engine.h"

namespace yett::runtime {
namespace {

using Rules = std::shared_ptr<const policy::RuleSet>;

// The rules of the previous set with this name and digest, or null.
std::shared_ptr<const policy::RuleSet> reused(const policy::PolicySet* previous, const engine::EngineConfig& config,
                                              const std::string& digest) {
  if (previous == nullptr) return nullptr;
  for (const auto& before : previous->engines()) {
    if (before.name == config.name && before.rules->digest() == digest) return before.rules;
  }
  return nullptr;
}

Rules buildPlugin(const EngineInput& input, const policy::PolicySet* previous, std::vector<std::string>& problems) {
  const std::string digest = engine::PluginRuleSet::digestOf(input.object, input.settings);
  if (auto before = reused(previous, input.config, digest)) return before;
  auto rules = engine::PluginRuleSet::load(input.config.path, input.object, input.settings);
  if (rules) return rules.value();
  problems.push_back("plugin " + rules.error().message);
  return nullptr;
}

Rules buildEngine(EngineInput& input, const policy::PolicySet* previous, std::vector<std::string>& problems) {
  if (input.config.type == "plugin") return buildPlugin(input, previous, problems);
  const bool json = input.config.type == "rules";
  const std::string digest = json ? engine::JsonRuleSet::digestOf(input.source) : input.source.digest;
  if (auto before = reused(previous, input.config, digest)) return before;
  if (json) return engine::JsonRuleSet::load(input.source, problems);
  return lua::LuaRuleSet::load(std::move(input.source), problems);
}

}  // namespace

std::shared_ptr<const policy::PolicySet> buildPolicy(std::vector<EngineInput> engines, const policy::Budget& budget,
                                                     const policy::PolicySet* previous,
                                                     std::vector<std::string>& problems) {
  const size_t before = problems.size();
  std::vector<policy::LoadedEngine> loaded;
  for (auto& input : engines) {
    if (auto rules = buildEngine(input, previous, problems))
      loaded.push_back({input.config.name, input.config.veto, std::move(rules)});
  }
  if (problems.size() > before) return nullptr;
  return std::make_shared<const policy::PolicySet>(std::move(loaded), budget);
}

std::shared_ptr<const policy::PolicySet> loadPolicy(const std::vector<engine::EngineConfig>& engines,
                                                    const policy::Budget& budget, config::Problems& problems,
                                                    base::FileTrust& trust) {
  std::vector<std::string> texts;
  auto inputs = readEngines(engines, texts, trust);
  auto set = buildPolicy(std::move(inputs), budget, nullptr, texts);
  for (const auto& text : texts) problems.add(text);
  return texts.empty() ? set : nullptr;
}

}  // namespace yett::runtime
