// AttributeReader for decoded values: the query and the captures of a path.
#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "policy/attribute_reader.h"
#include "target/query.h"

namespace yett::policy {

using State = AttrValue::State;
using Type = AttrValue::Type;

static AttrValue error(std::string_view why) {
  return {State::kError, Type::kText, why, 0};
}
static bool plainText(std::string_view value) {  // usually it is short
  bool plain = true;
  for (const char c : value) plain &= c != '%' && static_cast<signed char>(c) >= 0;
  return plain;
}
static AttrValue text(std::string_view value) {
  if (!json::isUtf8(value)) return error("is invalid UTF-8 once it is decoded, so services read it differently");
  return {State::kPresent, Type::kText, value, 0};
}

void AttributeReader::parseQueryOnce() {
  if (query_parsed_) return;
  query_parsed_ = true;
  query_bad_ = !target::parseQuery(request_->query, query_kept_, query_).ok();
}

// A scan is faster for the few pairs of usual queries; an index avoids comparing thousands of pairs per rule.
static constexpr size_t kScanned = 16;

template <typename Found>
void AttributeReader::eachQuery(std::string_view key, Found found) {
  if (query_.size() <= kScanned) {
    for (const auto& pair : query_) {
      if (pair.first == key) found(pair);
    }
    return;
  }
  if (!std::exchange(query_indexed_, true)) query_index_.build(query_, false);
  query_index_.find(key, found);
}

AttrValue AttributeReader::findQuery(std::string_view key) {
  parseQueryOnce();
  if (query_bad_) return error("the query cannot be decoded");
  const std::string_view* found = nullptr;
  bool twice = false;
  eachQuery(key, [&](const target::QueryPair& pair) {
    twice = twice || found != nullptr;
    found = &pair.second;
  });
  if (twice) return error("was sent more than once");
  if (found == nullptr) return {};
  return plainText(*found) ? AttrValue{State::kPresent, Type::kText, *found, 0} : text(*found);
}

AttrValue AttributeReader::findQueryList(std::string_view key) {
  std::vector<std::string_view> values;
  if (!peekQueryList(key, values)) return error("the query cannot be decoded");
  return {State::kPresent, Type::kNumber, {}, static_cast<int64_t>(values.size())};
}

bool AttributeReader::peekQuery(std::string_view key, std::vector<std::string_view>& out) {
  out.clear();
  if (recorded_ != nullptr && !recorded_->query_known) {
    const auto* value = recorded_->find(Attr::kQuery, key);
    if (value != nullptr && value->state == RecordedValue::State::kText) out.push_back(value->text);
    return value != nullptr;
  }
  parseQueryOnce();
  eachQuery(key, [&](const target::QueryPair& pair) { out.push_back(pair.second); });
  return !query_bad_;
}

bool AttributeReader::peekQueryList(std::string_view key, std::vector<std::string_view>& out) {
  out.clear();
  if (recorded_ != nullptr && !recorded_->query_known) {
    const auto* all = recorded_->find(Attr::kQueryList, key);
    if (all == nullptr || all->state != RecordedValue::State::kList) return false;
    out.assign(all->list.begin(), all->list.end());
    return true;
  }
  if (!query_anyhow_parsed_) {
    query_anyhow_parsed_ = true;
    query_bad_ = !target::parseQueryAnyhow(request_->query, query_anyhow_kept_, query_anyhow_).ok() || query_bad_;
  }
  if (query_anyhow_.size() <= kScanned) {
    for (const auto& [name, value] : query_anyhow_) {
      if (target::maySpell(name, key)) out.push_back(value);
    }
    return !query_bad_;
  }
  if (!std::exchange(query_anyhow_indexed_, true)) query_anyhow_index_.build(query_anyhow_, true);
  query_anyhow_index_.find(key, [&](const target::QueryPair& pair) { out.push_back(pair.second); });
  return !query_bad_;
}

// As services decode it: a `+` in a path stays a `+`.
static std::string decoded(std::string_view raw) {
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '%' && i + 2 < raw.size() && base::hexValue(raw[i + 1]) >= 0 && base::hexValue(raw[i + 2]) >= 0) {
      out += static_cast<char>(base::hexValue(raw[i + 1]) * 16 + base::hexValue(raw[i + 2]));
      i += 2;
    } else {
      out += raw[i];
    }
  }
  return out;
}

AttrValue AttributeReader::findParam(std::string_view key) {
  std::string_view raw;
  if (pattern_ == nullptr || !pattern_->capture(request_->path, key, raw)) return {};
  if (plainText(raw)) return {State::kPresent, Type::kText, raw, 0};
  const auto known =
      std::find_if(params_.begin(), params_.end(), [&](const auto& param) { return param.first.data() == raw.data(); });
  if (known != params_.end()) return text(*known->second);
  params_.emplace_back(raw, std::make_unique<std::string>(decoded(raw)));
  return text(*params_.back().second);
}

}  // namespace yett::policy
