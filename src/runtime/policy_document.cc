#include "runtime/policy_document.h"

#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "engine/json_engine.h"
#include "lua/engine.h"

namespace yett::runtime {

static constexpr size_t kMaxEngines = 1000;  // each costs some tens of KiB

std::string documentOf(const policy::PolicySet& set) {
  std::string engines = "[";
  for (const auto& engine : set.engines()) {
    std::string files;
    std::string hex_files;
    json::ObjectWriter w(files);
    json::ObjectWriter hex(hex_files);
    for (const auto& [name, text] : engine.rules->files()) {
      if (json::isUtf8(name) && json::isUtf8(text)) w.field(name, text);
      else hex.field(base::hex(name), base::hex(text));
    }
    w.end();
    hex.end();
    if (engines.size() > 1) engines += ',';
    json::ObjectWriter out(engines);
    out.field("name", engine.name)
        .field("type", engine.rules->type())
        .flag("veto", engine.veto)
        .field("digest", engine.rules->digest())
        .raw("files", files);
    if (hex_files != "{}") out.raw("hex_files", hex_files);
    out.end();
  }
  std::string budget;
  json::ObjectWriter(budget)
      .field("instructions", static_cast<int64_t>(set.budget().instructions))
      .field("memory", static_cast<int64_t>(set.budget().memory_bytes))
      .end();
  std::string owned = "[";
  for (const auto& name : set.ownedHeaders()) {
    if (owned.size() > 1) owned += ',';
    json::appendQuoted(owned, name);
  }
  std::string out;
  json::ObjectWriter(out)
      .field("digest", set.digest())
      .raw("budget", budget)
      .raw("owned_headers", owned + "]")
      .raw("engines", engines + "]")
      .end();
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
  if (at(parsed, "engines").items.size() > kMaxEngines) return Error{"it has more engines than yett ever writes"};
  for (const auto& item : at(parsed, "engines").items) {
    policy::PolicySource source;
    source.directory = "the audit log";
    for (const auto& [name, text] : at(item, "files").fields) source.files[name] = text.text;
    for (const auto& [name, bytes] : at(item, "hex_files").fields)
      source.files[TRY(base::unhex(name))] = TRY(base::unhex(bytes.text));
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
  if (budget.instructions > policy::kMaxInstructions)
    return Error{"its budget is larger than any that a configuration allows"};
  auto out = std::make_shared<const policy::PolicySet>(std::move(engines), budget);
  if (out->digest() != at(parsed, "digest").text)
    return Error{"the source in the log does not match digest " + at(parsed, "digest").text};
  return out;
}

std::optional<std::vector<std::string>> ownedHeadersOf(const std::string& document) {
  const auto parsed = json::parse(document, false);
  const auto* list = parsed ? parsed.value().find("owned_headers") : nullptr;
  if (list == nullptr || list->type != json::Value::Type::kArray) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& item : list->items) {
    if (item.type != json::Value::Type::kString) return std::nullopt;
    out.push_back(item.text);
  }
  return out;
}

}  // namespace yett::runtime
