// AttributeReader for verified tokens.
#include <algorithm>

#include "policy/attribute_reader.h"

namespace yett::policy {

using State = AttrValue::State;
using Type = AttrValue::Type;
using Recall = RecordedValue::State;

namespace {

std::string asJson(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const auto& item : list) {
    if (out.size() > 1) out += ',';
    json::appendQuoted(out, item);
  }
  return out + "]";
}

bool isListOfTexts(const Node& node) {
  return node.kind == Node::Kind::kList && std::all_of(node.items, node.items + node.size, [](const Node& item) {
           return item.kind == Node::Kind::kString;
         });
}

}  // namespace

AttrValue AttributeReader::findJwt(std::string_view key) {
  const auto dot = std::min(key.find('.'), key.size());
  const std::string_view provider = key.substr(0, dot);
  const auto named = std::find_if(request_->tokens.begin(), request_->tokens.end(),
                                  [&](const NamedToken& one) { return one.provider == provider; });
  if (named == request_->tokens.end()) return {};
  if (dot == key.size()) return {State::kPresent, Type::kFlag, {}, 1};
  for (const auto& read : jwt_reads_) {
    if (read.key == key) return read.part.value;
  }
  TokenPart part = named->token->part(key.substr(dot + 1));
  if (part.node == nullptr) return part.value;
  JwtRead& read = jwt_reads_.emplace_back();
  read.key = key;
  read.part = std::move(part);
  read.part.value.text = read.part.text;
  return read.part.value;
}

const Node& AttributeReader::jwtJson(std::string_view key) {
  for (const auto& read : jwt_reads_) {
    if (read.key == key) return *read.part.node;
  }
  static const Node none{};
  return none;
}

// What was recorded of a token, and what that says about its other parts.
AttrValue AttributeReader::recordedJwt(std::string_view key) {
  constexpr AttrValue kUnknown{State::kRefused, Type::kText, "was not recorded", 0};
  const auto dot = std::min(key.find('.'), key.size());
  const auto* value = recorded_->find(Attr::kJwt, key);
  if (value == nullptr) {
    const auto* token = recorded_->find(Attr::kJwt, key.substr(0, dot));
    if (token != nullptr && token->state == Recall::kAbsent) return {};
    if (dot < key.size()) return kUnknown;
    const std::string prefix = std::string(key) + ".";
    const bool there = std::any_of(recorded_->values.begin(), recorded_->values.end(), [&](const RecordedValue& one) {
      return one.attr == Attr::kJwt && one.key.starts_with(prefix) && one.state != Recall::kAbsent;
    });
    return there ? AttrValue{State::kPresent, Type::kFlag, {}, 1} : kUnknown;
  }
  if (value->state == Recall::kMasked) return kUnknown;
  if (value->state == Recall::kError) return {State::kError, Type::kText, "could not be read as one value", 0};
  if (value->state == Recall::kText) return {State::kPresent, Type::kText, value->text, 0};
  if (value->state == Recall::kNumber) return {State::kPresent, Type::kNumber, {}, value->number};
  if (value->state == Recall::kFlag) return {State::kPresent, Type::kFlag, {}, value->number};
  if (value->state == Recall::kAbsent) return {};
  for (const auto& read : jwt_reads_) {
    if (read.key == key) return read.part.value;
  }
  JwtRead& read = jwt_reads_.emplace_back();
  read.key = key;
  read.recorded = std::make_unique<Document>(4096);
  read.part.text = value->state == Recall::kList ? asJson(value->list) : value->text;
  if (!read.recorded->parse(read.part.text, Document::Limits{})) return jwt_reads_.pop_back(), kUnknown;
  read.part.node = &read.recorded->root();
  read.part.value = {State::kPresent, Type::kJson, read.part.text, 0};
  return read.part.value;
}

// A list of texts as such, anything else as the text of its JSON.
std::string AttributeReader::jwtText(std::string_view key, const AttrValue& value, const Recording& recording,
                                     bool masked) {
  const Node& node = jwtJson(key);
  if (isListOfTexts(node)) {
    std::vector<std::string_view> texts;
    for (uint32_t i = 0; i < node.size; ++i) texts.push_back(node.items[i].string());
    return listJson(texts, recording, masked);
  }
  if (masked) return recording.masked(value.text);
  if (value.text.size() > Recording::kLongest) return recording.cut(value.text, false);
  std::string out = "{\"json\":";
  json::appendQuoted(out, value.text);
  return out + "}";
}

}  // namespace yett::policy
