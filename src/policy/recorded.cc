#include "policy/recorded.h"

#include "base/json.h"
#include "base/text.h"
#include "policy/attribute_reader.h"

namespace yett::policy {
namespace {

// False if the value is unknown.
bool take(const json::Value& value, RecordedValue& out) {
  using Type = json::Value::Type;
  using State = RecordedValue::State;
  switch (value.type) {
    case Type::kNull: out.state = State::kAbsent; return true;
    case Type::kString:
      out.state = State::kText;
      out.text = value.text;
      return true;
    case Type::kInt:
      out.state = State::kNumber;
      out.number = value.integer;
      return true;
    case Type::kBool:
      out.state = State::kFlag;
      out.number = value.boolean ? 1 : 0;
      return true;
    case Type::kArray:
      out.state = State::kList;
      for (const auto& item : value.items) {
        if (item.type != Type::kString) return false;
        out.list.push_back(item.text);
      }
      return true;
    case Type::kObject: {  // not UTF-8, or a failed read; other objects are unknown values
      if (value.find("error") != nullptr) {
        out.state = State::kError;
        return true;
      }
      if (const auto* claim = value.find("json"); claim != nullptr && claim->type == Type::kString) {
        out.state = State::kJson;
        out.text = claim->text;
        return true;
      }
      const auto* hex = value.find("hex");
      if (hex == nullptr || hex->text.size() % 2 != 0) return false;
      out.state = State::kText;
      for (size_t i = 0; i < hex->text.size(); i += 2)
        out.text += static_cast<char>(base::hexValue(hex->text[i]) * 16 + base::hexValue(hex->text[i + 1]));
      return true;
    }
    default: return false;
  }
}

}  // namespace

const RecordedValue* Recorded::find(Attr attr, std::string_view key) const {
  for (const auto& value : values) {
    if (value.attr == attr && value.key == key) return &value;
  }
  return nullptr;
}

Status parseReads(std::string_view text, Recorded& out) {
  if (text.empty()) return {};
  const json::Value parsed = TRY(json::parse(text, false));
  for (const auto& [what, item] : parsed.fields) {
    RecordedValue value{};
    std::string_view key;
    if (!attributeNamed(what, value.attr, key)) continue;
    if (!take(item, value)) {
      if (value.attr != Attr::kJwt && value.attr != Attr::kVia && value.attr != Attr::kClientIp) continue;
      value.state = RecordedValue::State::kMasked;
    }
    value.key = key;
    out.values.push_back(std::move(value));
  }
  return {};
}

}  // namespace yett::policy
