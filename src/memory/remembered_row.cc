#include "memory/remembered_row.h"

#include <cstring>

#include "policy/attribute_reader.h"

namespace yett::memory {
namespace {

template <typename Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put(std::string& out, std::string_view text) {
  put(out, static_cast<uint32_t>(text.size()));
  out += text;
}

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}
  template <typename Number>
  bool take(Number& out) {
    if (rest_.size() < sizeof out) return false;
    std::memcpy(&out, rest_.data(), sizeof out);
    rest_.remove_prefix(sizeof out);
    return true;
  }
  bool take(std::string_view& out) {
    uint32_t size = 0;
    if (!take(size) || rest_.size() < size) return false;
    out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace

std::string RememberedRow::key() const {
  std::string out;
  put(out, rule);
  put(out, static_cast<uint32_t>(attributes.size()));
  for (const auto& [attr, name] : attributes) {
    put(out, attr);
    put(out, name);
  }
  put(out, values);
  return out;
}

std::string RememberedRow::value() const {
  std::string out;
  put(out, result.answer);
  put(out, result.instructions);
  put(out, result.bytes);
  put(out, result.expires);
  put(out, result.reason);
  put(out, result.public_reason);
  return out;
}

bool RememberedRow::parse(std::string_view key, std::string_view value, RememberedRow& out) {
  Bytes k(key);
  uint32_t count = 0;
  if (!k.take(out.rule) || !k.take(count) || count > policy::AttributeReader::kMaxReads) return false;
  for (uint32_t i = 0; i < count; ++i) {
    auto& [attr, name] = out.attributes.emplace_back();
    if (!k.take(attr) || !k.take(name)) return false;
  }
  if (!k.take(out.values) || !k.empty()) return false;
  Bytes v(value);
  Remembered& r = out.result;
  return v.take(r.answer) && v.take(r.instructions) && v.take(r.bytes) && v.take(r.expires) && v.take(r.reason) &&
         v.take(r.public_reason) && v.empty();
}

}  // namespace yett::memory
