#include "engine/json_engine.h"

#include <algorithm>

#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "rule/lint.h"
#include "rule/rule_fields.h"
#include "target/regex.h"

namespace yett::engine {
namespace {

using json::Value;

class FileReader {
 public:
  FileReader(const std::string& file, std::vector<rule::Rule>& rules, std::vector<std::string>& problems)
      : file_(file), rules_(rules), problems_(problems) {}

  // {"policies": {"name": {"rules": [ ... ]}}}
  void read(const std::string& text) {
    auto parsed = json::parse(text, true);
    if (!parsed) {
      const std::string& what = parsed.error().message;  // "line 3: ..."
      const auto colon = what.find(':');
      return problem(std::atoi(what.c_str() + 5), what.substr(colon + 2));
    }
    const Value& root = parsed.value();
    if (!isObject(root, "the file")) return;
    for (const auto& [name, value] : root.fields) {
      if (name != "policies" && name != "$schema") unknown(value, name, {"policies", "$schema"});
    }
    const Value* policies = root.find("policies");
    if (policies == nullptr)
      return problem(root.line, "`policies` is missing: { \"policies\": { \"name\": { \"rules\": [ ... ] } } }");
    if (!isObject(*policies, "`policies`")) return;
    for (const auto& [name, value] : policies->fields) readPolicy(name, value);
  }

 private:
  void problem(int line, const std::string& what) {
    problems_.push_back(file_ + ":" + std::to_string(line) + ": " + what);
  }
  void unknown(const Value& at, const std::string& name, const std::vector<std::string_view>& known) {
    problem(at.line, "unknown field `" + base::printable(name) + "`" + base::didYouMean(name, known));
  }
  bool isObject(const Value& value, const std::string& what) {
    if (value.type == Value::Type::kObject) return true;
    problem(value.line, what + " is " + value.typeName() + ", must be an object");
    return false;
  }

  void readPolicy(const std::string& name, const Value& value) {
    if (name.empty()) problem(value.line, "a policy without a name");
    if (!isObject(value, "policy `" + base::printable(name) + "`")) return;
    for (const auto& [field, item] : value.fields) {
      if (field != "rules") unknown(item, field, {"rules"});
    }
    const Value* rules = value.find("rules");
    if (rules == nullptr || rules->type != Value::Type::kArray)
      return problem(value.line, "policy `" + base::printable(name) + "`: `rules` must be an array");
    for (const auto& rule : rules->items) readRule(name, rule);
  }

  // {"allow": "name", fields} or {"deny": "name", fields}
  void readRule(const std::string& policy, const Value& value) {
    if (!isObject(value, "a rule")) return;
    const Value* allow = value.find("allow");
    const Value* deny = value.find("deny");
    const Value* name = allow != nullptr ? allow : deny;
    if ((allow == nullptr) == (deny == nullptr) || name->type != Value::Type::kString || name->text.empty())
      return problem(value.line, "a rule needs either \"allow\": \"name\" or \"deny\": \"name\"");
    rule::Rule rule;
    rule.policy = policy;
    rule.name = name->text;
    rule.kind = allow != nullptr ? rule::Rule::Kind::kAllow : rule::Rule::Kind::kDeny;
    rule.file = file_;
    rule.line = value.line;
    name_ = rule.name;
    std::vector<std::string> fields;
    for (const auto& [field, item] : value.fields) {
      if (field == "allow" || field == "deny") continue;
      fields.push_back(field);
      readField(rule, field, item);
    }
    note(value, rule::finishRule(rule, fields));
    rules_.push_back(std::move(rule));
  }

  void fail(const Value& at, const std::string& what) {
    problem(at.line, "rule `" + base::printable(name_) + "`: " + what);
  }
  void note(const Value& at, const Status& status, const std::string& field = "") {
    if (!status) fail(at, (field.empty() ? "" : "`" + field + "` ") + status.error().message);
  }
  void wrongType(const Value& at, const std::string& field, const char* wanted) {
    fail(at, "`" + field + "` is " + at.typeName() + ", must be " + wanted);
  }

  void readField(rule::Rule& rule, const std::string& field, const Value& value) {
    auto known = rule::ruleFieldNames();
    std::erase_if(known, [](auto name) { return name == "when" || name == "ttl"; });
    if (std::find(known.begin(), known.end(), field) == known.end())
      return fail(value, "unknown field `" + base::printable(field) + "`" + base::didYouMean(field, known));
    if (rule::isListField(field)) {
      std::vector<rule::FieldValue> values;
      if (readValues(field, value, values)) note(value, rule::setMatcher(rule, field, values), field);
    } else if (rule::isKeyedField(field)) {
      readKeyed(rule, field, value);
    } else if (field == "status") {
      if (value.type != Value::Type::kInt) return wrongType(value, field, "a whole number");
      note(value, rule::setStatus(rule, value.integer));
    } else if (field == "audit_only") {
      if (value.type != Value::Type::kBool) return wrongType(value, field, "true or false");
      note(value, rule::setAuditOnly(rule, value.boolean));
    } else if (field == "hours" || field == "not_hours") {
      readHours(rule, field, value);
    } else if (field == "set_header" || field == "remove_header") {
      readObligation(rule, field, value);
    } else {
      if (value.type != Value::Type::kString) return wrongType(value, field, "a string");
      note(value, field == "case" ? rule::setCase(rule, value.text) : rule::setText(rule, field, value.text));
    }
  }

  bool readValue(const std::string& field, const Value& value, rule::FieldValue& out) {
    if (field.ends_with("claim") && (value.type == Value::Type::kInt || value.type == Value::Type::kBool)) {
      const bool flag = value.type == Value::Type::kBool;
      out.type = flag ? policy::AttrValue::Type::kFlag : policy::AttrValue::Type::kNumber;
      out.text = flag ? (value.boolean ? "true" : "false") : std::to_string(value.integer);
      return true;
    }
    if (value.type == Value::Type::kString) return out.text = value.text, true;
    const Value* absent = value.find("absent");
    if (absent != nullptr && value.fields.size() == 1 && absent->type == Value::Type::kBool && absent->boolean)
      return out.absent = true;
    const Value* regex = value.find("re");
    if (regex == nullptr || value.fields.size() != 1 || regex->type != Value::Type::kString)
      return wrongType(
                 value, field,
                 field.ends_with("claim")
                     ? "a string, a whole number, true, false, { \"re\": \"...\" }, { \"absent\": true }, or a list "
                       "of these"
                     : "a string, { \"re\": \"...\" }, { \"absent\": true }, or a list of these"),
             false;
    auto compiled = target::Regex::compile(regex->text);
    if (!compiled) return fail(value, compiled.error().message), false;
    out.regex = std::move(compiled).value();
    return true;
  }

  bool readValues(const std::string& field, const Value& value, std::vector<rule::FieldValue>& out) {
    if (value.type != Value::Type::kArray) return readValue(field, value, out.emplace_back());
    return std::all_of(value.items.begin(), value.items.end(),
                       [&](const Value& item) { return readValue(field, item, out.emplace_back()); });
  }

  void readKeyed(rule::Rule& rule, const std::string& field, const Value& value) {
    if (value.type != Value::Type::kObject || value.fields.empty())
      return wrongType(value, field, "an object of names and their values");
    for (const auto& [key, item] : value.fields) {
      std::vector<rule::FieldValue> values;
      if (readValues(field, item, values))
        note(item, rule::addKeyedMatcher(rule, field, key, std::move(values)), field);
    }
  }

  // { "at": ["09:00-18:00", "mon-fri"], "zone": "Europe/Berlin" }
  void readHours(rule::Rule& rule, const std::string& field, const Value& value) {
    constexpr const char* kWanted = "{ \"at\": [\"09:00-18:00\", \"mon-fri\"], \"zone\": \"Europe/Berlin\" }";
    const Value* at = value.find("at");
    const Value* zone = value.find("zone");
    if (at == nullptr || at->type != Value::Type::kArray || (zone != nullptr && zone->type != Value::Type::kString) ||
        value.fields.size() != (zone != nullptr ? 2 : 1))
      return fail(value, "`" + field + "` must be " + kWanted);
    std::vector<std::string> entries;
    for (const auto& item : at->items) {
      if (item.type != Value::Type::kString) return fail(item, "`" + field + "` must be " + kWanted);
      entries.push_back(item.text);
    }
    note(value, rule::setHours(rule, field, entries, zone != nullptr ? std::string_view(zone->text) : ""), field);
  }

  // A value of set_header: a string, or { "from": "principal.id" }.
  void readHeader(rule::Rule& rule, const std::string& name, const Value& value) {
    if (value.type == Value::Type::kString)
      return note(value, rule::addObligation(rule, "set_header", name, value.text));
    const Value* from = value.find("from");
    if (from == nullptr || value.fields.size() != 1 || from->type != Value::Type::kString)
      return wrongType(value, "set_header", "a string or { \"from\": \"principal.id\" } for each name");
    auto header = rule::copiedHeader(name, from->text);
    if (!header) return fail(value, header.error().message);
    note(value, rule::addComputed(rule, std::move(header).value()));
  }

  void readObligation(rule::Rule& rule, const std::string& field, const Value& value) {
    const bool set = field == "set_header";
    if (value.type != (set ? Value::Type::kObject : Value::Type::kArray))
      return wrongType(value, field, set ? "an object of names and values" : "an array of names");
    for (const auto& [name, item] : value.fields) readHeader(rule, name, item);
    for (const auto& item : value.items) {
      if (item.type != Value::Type::kString) wrongType(item, field, "an array of names");
      else note(item, rule::addObligation(rule, field, item.text, ""));
    }
  }

  const std::string& file_;
  std::vector<rule::Rule>& rules_;
  std::vector<std::string>& problems_;
  std::string name_;
};

class JsonEvaluator final : public rule::RuleEvaluator {
 public:
  using rule::RuleEvaluator::RuleEvaluator;
};

}  // namespace

static bool isRuleFile(const std::string& name) {
  return name.find('/') == std::string::npos && name.ends_with(".json");
}

// Not just the digest of the files: another engine may use the same files.
static std::string digestOf(const policy::PolicySource& source) {
  return base::sha256Hex("rules\n" + source.digest);
}

bool JsonRuleSet::isOf(const policy::PolicySource& source) const {
  return digestOf(source.only(isRuleFile)) == digest_;
}

std::shared_ptr<const JsonRuleSet> JsonRuleSet::load(const policy::PolicySource& source,
                                                     std::vector<std::string>& problems) {
  auto out = std::make_shared<JsonRuleSet>();
  std::vector<rule::Rule> rules;
  std::vector<std::string> found;
  out->source_ = source.only(isRuleFile);
  for (const auto& [name, text] : out->source_.files) FileReader(name, rules, found).read(text);
  if (found.empty()) rule::checkNames(rules, found);
  if (found.empty() && rules.empty()) found.push_back(source.directory + ": contains no rule: define at least one");
  for (const auto& problem : found) problems.push_back("policy " + problem);
  if (!found.empty()) return nullptr;
  out->digest_ = digestOf(out->source_);
  out->unused_ = source.unused(".json", {});
  out->book_ = std::make_unique<const rule::RuleBook>(std::move(rules));
  return out;
}

std::vector<std::string> JsonRuleSet::warnings() const {
  auto out = rule::lint(*book_);
  for (auto& warning : rule::credentialWarnings(source_.files)) out.push_back(std::move(warning));
  return out;
}

Result<std::unique_ptr<policy::Evaluator>> JsonRuleSet::makeEvaluator(const policy::EvaluatorOptions&) const {
  return std::unique_ptr<policy::Evaluator>(std::make_unique<JsonEvaluator>(*book_));
}

}  // namespace yett::engine
