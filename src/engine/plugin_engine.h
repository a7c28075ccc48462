// The rule engine `plugin`: a shared object that implements plugins/include/yett/plugin.h. Its reads use the same
// reader as for all engines, so they are recorded; answers are remembered if it declares itself pure. It has no budget.
#pragma once

#include <memory>
#include <string>

#include "policy/rule_engine.h"
#include "yett/plugin.h"

namespace yett::engine {

class PluginRuleSet final : public policy::RuleSet {
 public:
  /// Loads exactly these bytes, so that the digest identifies what runs. Creates one instance to check that this works.
  /// `path` is for messages.
  static Result<std::shared_ptr<const PluginRuleSet>> load(const std::string& path, const std::string& object,
                                                           std::string settings);
  /// The digest that load() would give.
  static std::string digestOf(const std::string& object, const std::string& settings);
  ~PluginRuleSet() override;
  PluginRuleSet(const PluginRuleSet&) = delete;

  const std::string& digest() const override { return digest_; }
  const char* type() const override { return "plugin"; }
  std::vector<policy::RuleInfo> rules() const override;
  std::vector<std::string> ownedHeaders() const override { return {}; }
  std::vector<std::string> warnings() const override { return {}; }
  Result<std::unique_ptr<policy::Evaluator>> makeEvaluator(const policy::EvaluatorOptions& options) const override;

 private:
  PluginRuleSet() = default;
  Result<void*> create() const;
  std::string path_;
  std::string digest_;
  std::string settings_;
  void* handle_ = nullptr;
  int fd_ = -1;  // open as long as the handle: its number is part of the loaded name
  const yett_plugin_v1* plugin_ = nullptr;
};

}  // namespace yett::engine
