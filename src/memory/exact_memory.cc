#include "memory/exact_memory.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/hash.h"
#include "memory/remembered_row.h"
#include "policy/recording.h"
#include "policy/secret_names.h"

namespace yett::memory {
namespace {

using policy::Attr;
using policy::AttrValue;

constexpr size_t kMaxShapes = 8;
constexpr size_t kLongestKey = 4096;
constexpr size_t kItemOverhead = 160;
constexpr uint32_t kTrial = 1024;  // results kept before a rule's hits are judged
constexpr uint32_t kMinHits = 16;  // with under one hit per 16 kept, a rule keeps one result in 16

// Whether a value may be written to disk.
bool lasts(Attr attr, std::string_view key) {
  return !policy::isSecret(attr, key) && attr != Attr::kRawPath;  // which contains the query, whatever that contains
}

// Writes a key into memory of a fixed size.
class KeyWriter {
 public:
  explicit KeyWriter(std::vector<char>& out) : begin_(out.data()), at_(begin_), end_(begin_ + out.size()) {}
  bool ok() const { return at_ != nullptr; }
  std::string_view key() const { return {begin_, static_cast<size_t>(at_ - begin_)}; }

  void number(uint64_t number) {
    if (!room(sizeof number)) return;
    std::memcpy(at_, &number, sizeof number);
    at_ += sizeof number;
  }
  void byte(int byte) {
    if (room(1)) *at_++ = static_cast<char>(byte);
  }
  void bytes(std::string_view bytes) {
    if (!room(sizeof(uint32_t) + bytes.size())) return;
    const auto size = static_cast<uint32_t>(bytes.size());
    std::memcpy(at_, &size, sizeof size);
    if (size > 0) std::memcpy(at_ + sizeof size, bytes.data(), size);
    at_ += sizeof size + bytes.size();
  }

 private:
  bool room(size_t size) {
    if (at_ != nullptr && static_cast<size_t>(end_ - at_) < size) at_ = nullptr;
    return at_ != nullptr;
  }
  char* begin_;
  char* at_;
  char* end_;
};

// A value as part of a key: equal bytes mean equal values.
void writeValue(Attr attr, std::string_view key, const AttrValue& value, policy::AttributeReader& reader,
                KeyWriter& out) {
  out.byte(static_cast<int>(value.state) << 4 | static_cast<int>(value.type));
  if (!value.present()) return;
  if (value.type == AttrValue::Type::kText || value.type == AttrValue::Type::kJson) return out.bytes(value.text);
  out.number(static_cast<uint64_t>(value.number));
  if (attr == Attr::kHeaderList) {
    for (const auto& item : reader.peekList(key)) out.bytes(item);
  } else if (attr == Attr::kVia) {
    for (const auto& item : reader.peekVia()) out.bytes(item);
  } else if (attr == Attr::kQueryList) {
    std::vector<std::string_view> values;
    reader.peekQueryList(key, values);
    for (const auto& item : values) out.bytes(item);
  }
}

}  // namespace

ExactMemory::ExactMemory(const policy::EvaluatorOptions& options, const std::vector<std::string_view>& policies)
    : most_entries_(options.remembered_entries),
      most_bytes_(options.remembered_bytes),
      engine_(options.engine),
      store_(options.remembered),
      recording_(options.recording),
      seed_(std::random_device{}() | uint64_t{std::random_device{}()} << 32) {
  base::Metrics& metrics = options.metrics != nullptr ? *options.metrics : own_metrics_;
  std::map<std::string_view, uint32_t> known;
  rules_.resize(policies.size());
  for (size_t i = 0; i < policies.size(); ++i) {
    const auto [it, fresh] = known.try_emplace(policies[i], static_cast<uint32_t>(counters_.size()));
    rules_[i].counters = it->second;
    if (!fresh) continue;
    const auto counter = [&](const char* name, const char* help) {
      return &metrics.counter(name, {{"policy", policies[i]}}, help);
    };
    counters_.push_back({counter("yett_remembered_hits_total", "results of conditions that were served from memory"),
                         counter("yett_remembered_misses_total", "conditions that ran"),
                         counter("yett_remembered_uncacheable_total", "results that could not be remembered"),
                         counter("yett_remembered_evictions_total", "results dropped to make room for others")});
  }
  if (most_entries_ == 0) return;
  table_.resize(64);
  key_.resize(kLongestKey);
  if (store_ == nullptr || !store_->load) return;
  store_->load(engine_, [this](std::string_view key, std::string_view value) { restore(key, value); });
}

std::string_view ExactMemory::encode(uint32_t rule, const Shape& shape, policy::AttributeReader& reader) {
  KeyWriter out(key_);
  out.number(uint64_t{rule} << 32 | shape.number);
  values_.resize(shape.attributes.size());
  auto* value = values_.data();
  const policy::Body* sent = reader.request().body;
  const bool awaited = sent != nullptr && sent->awaited;
  for (const auto& [attr, key] : shape.attributes) {
    if (awaited && policy::ofBody(attr)) return {};  // the value is not known yet
    if (attr == Attr::kBodyJson) {  // its bytes, with the headers read along, determine the value without parsing
      const policy::Body* body = reader.request().body;
      *value++ = {};
      out.byte(body == nullptr ? 0 : body->complete ? 1 : 2);
      out.byte(body != nullptr && body->exact_names ? 1 : 0);
      out.number(body != nullptr ? body->json_types.size() : 0);
      for (const auto& type : body != nullptr ? body->json_types : std::span<const std::string>()) out.bytes(type);
      out.bytes(body != nullptr && body->complete ? body->bytes : std::string_view());
      if (!out.ok()) return {};
      continue;
    }
    *value = reader.peek(attr, key);
    if (attr != Attr::kTime) writeValue(attr, key, *value, reader, out);
    ++value;
    if (!out.ok()) return {};
  }
  return out.key();
}

const uint32_t* ExactMemory::lookup(uint64_t hash, std::string_view key) const {
  for (size_t at = hash & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
    if (table_[at] == 0) return nullptr;
    const Item& item = items_[table_[at] - 1];
    if (item.hash == hash && std::string_view(item.bytes).substr(0, item.key_size) == key) return &table_[at];
  }
}

bool ExactMemory::find(uint32_t rule, policy::AttributeReader& reader, Remembered& out) {
  RuleState& state = rules_[rule];
  for (size_t i = 0; i < state.shapes.size(); ++i) {
    const std::string_view key = encode(rule, state.shapes[i], reader);
    if (key.empty()) continue;
    const uint32_t* slot = lookup(base::hashBytes(key, seed_), key);
    if (slot == nullptr) continue;
    Item& item = items_[*slot - 1];
    if (item.expires != 0 && item.expires <= reader.request().time_seconds) continue;
    item.touched = true;
    if (i > 0)
      std::rotate(state.shapes.begin(), state.shapes.begin() + static_cast<ptrdiff_t>(i),
                  state.shapes.begin() + static_cast<ptrdiff_t>(i) + 1);
    found_ = &state.shapes[0];
    const std::string_view bytes(item.bytes);
    out = {item.answer,
           bytes.substr(item.key_size, item.reason_size),
           bytes.substr(item.key_size + item.reason_size),
           item.instructions,
           item.cost_bytes,
           item.expires};
    return true;
  }
  return false;
}

bool ExactMemory::noteReads(policy::AttributeReader& reader) {
  for (size_t i = 0; i < values_.size(); ++i) {
    const auto& [attr, key] = found_->attributes[i];
    if (!reader.note(attr, key, attr == Attr::kBodyJson ? reader.peek(attr, key) : values_[i])) return false;
  }
  return true;
}

void ExactMemory::countHit(uint32_t rule) {
  counters_[rules_[rule].counters].hits->add();
  ++rules_[rule].hits;
}

void ExactMemory::countMiss(uint32_t rule) {
  counters_[rules_[rule].counters].misses->add();
}

ExactMemory::Shape* ExactMemory::shapeOf(uint32_t rule, std::vector<Attribute> attributes) {
  RuleState& state = rules_[rule];
  for (auto& shape : state.shapes) {
    if (shape.attributes == attributes) return &shape;
  }
  if (state.shapes.size() >= kMaxShapes) return nullptr;
  Shape shape{next_shape_++, std::move(attributes)};
  for (const auto& [attr, key] : shape.attributes) {
    const bool masked = recording_ != nullptr && recording_->masks(attr, key);
    shape.lasting = shape.lasting && lasts(attr, key) && !masked;
  }
  state.shapes.insert(state.shapes.begin(), std::move(shape));
  return &state.shapes.front();
}

void ExactMemory::keep(uint32_t rule, policy::AttributeReader& reader, const Remembered& result) {
  RuleState& state = rules_[rule];
  std::vector<Attribute> attributes;
  bool time = false;
  for (size_t i = 0; i < reader.windowSize(); ++i) {
    const auto read = reader.windowRead(i);
    attributes.push_back({read.attr, std::string(read.key)});
    time = time || read.attr == Attr::kTime;
  }
  Shape* shape = time && result.expires == 0 ? nullptr : shapeOf(rule, std::move(attributes));
  const std::string_view key = shape == nullptr ? std::string_view() : encode(rule, *shape, reader);
  if (key.empty()) return counters_[state.counters].uncacheable->add();
  if (state.kept >= kTrial && state.hits < state.kept / kMinHits && ++state.skipped % kMinHits != 0) return;
  if (state.kept++ == kTrial * 16) state.kept /= 2, state.hits /= 2;  // older results count less
  if (const uint32_t* old = lookup(base::hashBytes(key, seed_), key)) erase(*old - 1);
  insert(rule, key, result);
  if (shape->lasting && result.lasting && !policy::holdsJwt(key)) persist(rule, *shape, key, result);
}

void ExactMemory::erase(uint32_t number) {
  Item& item = items_[number];
  size_t at = item.hash & (table_.size() - 1);
  while (table_[at] != number + 1) at = (at + 1) & (table_.size() - 1);
  // Entries after it move up, so that no lookup stops too early.
  for (size_t next = (at + 1) & (table_.size() - 1); table_[next] != 0; next = (next + 1) & (table_.size() - 1)) {
    const size_t home = items_[table_[next] - 1].hash & (table_.size() - 1);
    if (((next - home) & (table_.size() - 1)) < ((next - at) & (table_.size() - 1))) continue;
    table_[at] = table_[next];
    at = next;
  }
  table_[at] = 0;
  bytes_ -= item.bytes.size() + kItemOverhead;
  item.bytes.clear();
  item.bytes.shrink_to_fit();
  item.used = false;
  free_.push_back(number);
  --used_;
}

// A slot for one more entry; evicts one if there is none.
uint32_t ExactMemory::place() {
  while (used_ > 0 && (used_ >= most_entries_ || bytes_ > most_bytes_)) {
    for (;; hand_ = (hand_ + 1) % static_cast<uint32_t>(items_.size())) {
      Item& item = items_[hand_];
      if (!item.used) continue;
      if (!item.touched) break;
      item.touched = false;
    }
    counters_[rules_[items_[hand_].rule].counters].evictions->add();
    erase(hand_);
    hand_ = (hand_ + 1) % static_cast<uint32_t>(items_.size());  // the new entry gets this slot, and a full round
  }
  if (!free_.empty()) {
    const uint32_t out = free_.back();
    free_.pop_back();
    return out;
  }
  items_.emplace_back();
  return static_cast<uint32_t>(items_.size() - 1);
}

void ExactMemory::insert(uint32_t rule, std::string_view key, const Remembered& result) {
  const uint32_t number = place();
  if ((used_ + 1) * 2 > table_.size()) {
    std::vector<uint32_t> bigger(table_.size() * 2);
    for (const uint32_t entry : table_) {
      if (entry == 0) continue;
      size_t at = items_[entry - 1].hash & (bigger.size() - 1);
      while (bigger[at] != 0) at = (at + 1) & (bigger.size() - 1);
      bigger[at] = entry;
    }
    table_ = std::move(bigger);
  }
  Item& item = items_[number];
  item.hash = base::hashBytes(key, seed_);
  item.rule = rule;
  item.key_size = static_cast<uint32_t>(key.size());
  item.reason_size = static_cast<uint32_t>(result.reason.size());
  item.answer = result.answer;
  item.used = true;
  item.touched = false;
  item.instructions = result.instructions;
  item.cost_bytes = result.bytes;
  item.expires = result.expires;
  item.bytes.reserve(key.size() + result.reason.size() + result.public_reason.size());
  item.bytes.append(key).append(result.reason).append(result.public_reason);
  size_t at = item.hash & (table_.size() - 1);
  while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
  table_[at] = number + 1;
  bytes_ += item.bytes.size() + kItemOverhead;
  ++used_;
}

void ExactMemory::persist(uint32_t rule, const Shape& shape, std::string_view key, const Remembered& result) {
  if (store_ == nullptr || !store_->keep) return;
  RememberedRow row;
  row.rule = rule;
  for (const auto& [attr, name] : shape.attributes) row.attributes.emplace_back(static_cast<uint8_t>(attr), name);
  row.values = key.substr(sizeof(uint64_t));
  row.result = result;
  store_->keep(engine_, row.key(), row.value());
}

void ExactMemory::restore(std::string_view key, std::string_view value) {
  RememberedRow row;
  if (used_ >= most_entries_ || !RememberedRow::parse(key, value, row) || row.rule >= rules_.size()) return;
  std::vector<Attribute> attributes;
  for (const auto& [attr, name] : row.attributes) {
    if (attr > static_cast<uint8_t>(policy::kLastAttr)) return;
    attributes.push_back({static_cast<Attr>(attr), std::string(name)});
  }
  const Shape* shape = shapeOf(row.rule, std::move(attributes));
  if (shape == nullptr) return;
  std::string whole(sizeof(uint64_t), '\0');
  const uint64_t head = uint64_t{row.rule} << 32 | shape->number;
  std::memcpy(whole.data(), &head, sizeof head);
  whole += row.values;
  if (lookup(base::hashBytes(whole, seed_), whole) == nullptr) insert(row.rule, whole, row.result);
}

}  // namespace yett::memory
