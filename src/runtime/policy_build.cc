#include "runtime/policy_build.h"

#include "base/file_trust.h"
#include "config/object_reader.h"
#include "engine/json_engine.h"
#include "engine/plugin_engine.h"
#include "lua/engine.h"

namespace yett::runtime {
namespace {

using Rules = std::shared_ptr<const policy::RuleSet>;

// The rules of the previous set with the same name and source, or null.
Rules reused(const policy::PolicySet* previous, const EngineInput& input) {
  if (previous == nullptr) return nullptr;
  const bool plugin = input.config.type == "plugin";
  const std::string digest = plugin ? engine::PluginRuleSet::digestOf(input.object, input.settings) : "";
  for (const auto& before : previous->engines()) {
    if (before.name != input.config.name || before.rules->type() != input.config.type) continue;
    if (plugin ? before.rules->digest() == digest : before.rules->isOf(input.source)) return before.rules;
  }
  return nullptr;
}

Rules buildPlugin(const EngineInput& input, const policy::PolicySet* previous, std::vector<std::string>& problems) {
  if (auto before = reused(previous, input)) return before;
  auto rules = engine::PluginRuleSet::load(input.config.path, input.object, input.settings);
  if (rules) return rules.value();
  problems.push_back("plugin " + rules.error().message);
  return nullptr;
}

Rules buildEngine(EngineInput& input, const policy::PolicySet* previous, std::vector<std::string>& problems) {
  if (input.config.type == "plugin") return buildPlugin(input, previous, problems);
  if (auto before = reused(previous, input)) return before;
  if (input.config.type == "rules") return engine::JsonRuleSet::load(input.source, problems);
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
