#include "runtime/policy_document.h"

#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "engine/json_engine.h"
#include "lua/engine.h"

namespace yett::runtime {

static constexpr size_t kMostEngines = 1000;  // each costs some tens of KiB

std::string documentOf(const policy::PolicySet& set) {
  std::string engines = "[";
  for (const auto& engine : set.engines()) {
    std::string files;
    json::ObjectWriter w(files);
    for (const auto& [name, text] : engine.rules->files()) w.field(name, text);
    w.end();
    if (engines.size() > 1) engines += ',';
    json::ObjectWriter(engines)
        .field("name", engine.name)
        .field("type", engine.rules->type())
        .flag("veto", engine.veto)
        .field("digest", engine.rules->digest())
        .raw("files", files)
        .end();
  }
  std::string budget;
  json::ObjectWriter(budget)
      .field("instructions", static_cast<int64_t>(set.budget().instructions))
      .field("memory", static_cast<int64_t>(set.budget().memory_bytes))
      .end();
  std::string out;
  json::ObjectWriter(out).field("digest", set.digest()).raw("budget", budget).raw("engines", engines + "]").end();
  return out;
}

static const json::Value& at(const json::Value& value, std::string_view name) {
  static const json::Value kNone;
  const auto* found = value.find(name);
  return found != nullptr ? *found : kNone;
}

Result<std::shared_ptr<const policy::PolicySet>> policyFromDocument(const std::string& document) {
  const json::Value parsed = TRY(json::parse(document, false));
  std::vector<policy::LoadedEngine> engines;
  if (at(parsed, "engines").items.size() > kMostEngines) return Error{"it has more engines than yett writes down"};
  for (const auto& item : at(parsed, "engines").items) {
    policy::PolicySource source;
    source.directory = "the audit log";
    for (const auto& [name, text] : at(item, "files").fields) source.files[name] = text.text;
    source.digest = policy::PolicySource::digestOf(source.files);
    std::vector<std::string> problems;
    std::shared_ptr<const policy::RuleSet> rules;
    const std::string& type = at(item, "type").text;
    if (type == "rules") rules = engine::JsonRuleSet::load(source, problems);
    else if (type == "lua") rules = lua::LuaRuleSet::load(std::move(source), problems);
    else return Error{"engine `" + at(item, "name").text + "` is a plugin: its code is not in the log"};
    if (!rules) return Error{base::joined(problems, "; ")};
    engines.push_back({at(item, "name").text, at(item, "veto").boolean, std::move(rules)});
  }
  policy::Budget budget;
  budget.instructions = static_cast<uint64_t>(at(at(parsed, "budget"), "instructions").integer);
  budget.memory_bytes = static_cast<uint64_t>(at(at(parsed, "budget"), "memory").integer);
  if (budget.instructions > policy::kMostInstructions)
    return Error{"its budget is larger than any that a configuration allows"};
  auto out = std::make_shared<const policy::PolicySet>(std::move(engines), budget);
  if (out->digest() != at(parsed, "digest").text)
    return Error{"the source that the log keeps does not give digest " + at(parsed, "digest").text};
  return out;
}

}  // namespace yett::runtime
