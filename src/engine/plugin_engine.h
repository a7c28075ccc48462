// The rule engine `plugin`: a shared object that speaks plugins/include/yett/plugin.h. Its reads go through the same
// reader as everybody's, so they are recorded, and remembered where it declares itself pure. It cannot be budgeted.
#pragma once

#include <memory>
#include <string>

#include "policy/rule_engine.h"
#include "yett/plugin.h"

namespace yett::engine {

class PluginRuleSet final : public policy::RuleSet {
 public:
  /// Loads exactly these bytes: what the digest says is what runs. Makes one instance, to see that it can be made.
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
  int fd_ = -1;  // kept as long as the handle: its number is part of the name that it is known by
  const yett_plugin_v1* plugin_ = nullptr;
};

}  // namespace yett::engine
