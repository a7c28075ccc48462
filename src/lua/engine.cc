#include "lua/engine.h"

#include "lua/evaluator.h"
#include "lua/loader.h"
#include "lua/source_lint.h"
#include "rule/lint.h"

namespace yett::lua {

std::shared_ptr<const LuaRuleSet> LuaRuleSet::load(policy::PolicySource source, std::vector<std::string>& problems,
                                                   policy::Budget budget) {
  std::shared_ptr<LuaRuleSet> out(new LuaRuleSet(std::move(source), budget));
  LuaState state;
  LuaLoader loader(out->source_, out->documents_, state);
  loader.load(nullptr, budget);
  if (!loader.problems().empty()) {
    for (const auto& problem : loader.problems()) problems.push_back("policy " + problem);
    return nullptr;
  }
  out->code_files_ = loader.codeFiles();
  out->wanted_ = loader.wantedFiles();
  out->globals_ = loader.globals();
  out->unused_ = out->source_.unused(".lua", out->wanted_);
  out->book_ = std::make_unique<const rule::RuleBook>(std::move(loader.rules()));
  // Erase in place: documents hold views into these texts.
  std::erase_if(out->source_.files, [&](const auto& file) { return !out->uses(file.first); });
  out->source_.digest = policy::PolicySource::digestOf(out->source_.files);
  return out;
}

bool LuaRuleSet::uses(const std::string& name) const {
  return policy::PolicySource::isPolicyFile(name) || wanted_.contains(name);
}

// What loading gives depends only on the policy files and the files they load.
bool LuaRuleSet::isOf(const policy::PolicySource& source) const {
  return source.only([this](const std::string& name) { return uses(name); }).digest == source_.digest;
}

std::vector<std::string> LuaRuleSet::warnings() const {
  auto out = rule::lint(*book_);
  for (const auto& [name, text] : source_.files) {
    if (!name.ends_with(".lua")) continue;
    for (const auto& warning : lintSource(text, globals_)) out.push_back(name + ":" + warning);
  }
  for (auto& warning : rule::credentialWarnings(source_.files)) out.push_back(std::move(warning));
  return out;
}

Result<std::unique_ptr<policy::Evaluator>> LuaRuleSet::makeEvaluator(const policy::EvaluatorOptions& options) const {
  auto out = std::make_unique<LuaEvaluator>(*book_, options);
  TRY(out->load(source_, documents_, code_files_, load_budget_));
  return std::unique_ptr<policy::Evaluator>(std::move(out));
}

}  // namespace yett::lua
