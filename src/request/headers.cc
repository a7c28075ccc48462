#include "request/headers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "base/text.h"
#include "request/header_families.h"

namespace yett::request {
namespace {

// Yett sets these itself, after the value from a trusted forwarder.
constexpr std::string_view kForwarded[] = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert"};

bool isForwarded(std::string_view name) {
  return std::find(std::begin(kForwarded), std::end(kForwarded), name) != std::end(kForwarded);
}

// Whether only a trusted peer may set this field, and this peer may not.
bool isUntrusted(std::string_view sent, std::string_view folded, const Trust& trust) {
  const HeaderFamily* family = familyOf(folded);
  if (family == nullptr) return false;
  if (!trust.forwarder || sent.size() != folded.size() || sent != folded) return true;
  if (isForwarded(folded)) return false;
  return !family->keepable || std::none_of(trust.keep.begin(), trust.keep.end(), [&](const std::string& kept) {
    return kept == family->name || kept == folded;
  });
}

bool isAny(std::string_view name, std::initializer_list<std::string_view> lower_names) {
  return std::any_of(lower_names.begin(), lower_names.end(),
                     [&](std::string_view lower) { return base::equalsIgnoreCase(name, lower); });
}

// Case-insensitive index of fields by name. A Connection list may have tens of thousands of names, so a lookup checks
// only the length and a hash, which rules out nearly all of them.
class FieldIndex {
 public:
  explicit FieldIndex(http::HeaderMap& headers) : headers_(headers), next_(headers.fields().size(), kNone) {
    first_.fill(kNone);
    for (uint32_t i = 0; i < next_.size(); ++i) {
      const std::string_view name = headers.fields()[i].name;
      lengths_ |= bitOf(name.size());
      uint32_t& slot = first_[hash(name) % first_.size()];
      next_[i] = std::exchange(slot, i);
    }
  }
  bool mayHave(std::string_view name) const { return (lengths_ & bitOf(name.size())) != 0; }
  void drop(std::string_view name) {
    for (uint32_t i = first_[hash(name) % first_.size()]; i != kNone; i = next_[i]) {
      http::HeaderField& field = headers_.fields()[i];
      if (!field.dropped && base::equalsIgnoreCase(field.name, name)) field.dropped = true;
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  // A seed that callers do not know: otherwise they could choose names that all hash to one slot.
  static uint32_t hash(std::string_view name) {
    static const uint32_t seed = std::random_device{}();
    uint32_t out = seed;
    for (const char c : name) out = (out ^ static_cast<unsigned char>(base::toLower(c))) * 0x01000193u + (out >> 15);
    return out ^ (out >> 13);
  }
  static uint64_t bitOf(size_t length) { return uint64_t{1} << std::min<size_t>(length, 63); }
  http::HeaderMap& headers_;
  uint64_t lengths_ = 0;  // of the existing names, as bits
  std::array<uint32_t, 1024> first_;
  std::vector<uint32_t> next_;
};

void dropListed(http::HeaderMap& headers) {
  std::optional<FieldIndex> index;  // only if needed: most lists need no lookup
  for (const auto& connection : headers.fields()) {
    if (connection.id != http::FieldId::kConnection) continue;
    for (std::string_view rest = connection.value; !rest.empty();) {
      const size_t size = http::elementSize(rest);
      const auto name = base::trimmed(rest.substr(0, size));
      rest.remove_prefix(std::min(size + 1, rest.size()));
      if (isAny(name, {"close", "keep-alive", "host"})) continue;
      if (!index) index.emplace(headers);
      if (index->mayHave(name)) index->drop(name);
    }
  }
}

}  // namespace

bool isNamed(std::string_view name, std::span<const std::string> names) {
  const auto same = [](char a, char b) {
    const auto folded = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-'; };
    return folded(a) == folded(b);
  };
  return std::any_of(names.begin(), names.end(), [&](const std::string& own) {
    return std::equal(name.begin(), name.end(), own.begin(), own.end(), same);
  });
}

bool isListedInConnection(const http::HeaderMap& headers, std::string_view name) {
  for (const auto& connection : headers.fields()) {
    if (connection.id != http::FieldId::kConnection) continue;
    for (const auto one : base::split(connection.value, ',')) {
      if (base::equalsIgnoreCase(base::trimmed(one), name)) return true;
    }
  }
  return false;
}

void dropNamed(http::HeaderMap& headers, std::span<const std::string> names) {
  if (names.empty()) return;
  for (auto& field : headers.fields()) {
    if (isNamed(field.name, names)) field.dropped = true;
  }
}

void dropUntrusted(http::RequestHead& head, const Trust& trust, std::span<const std::string> owned) {
  std::string buffer;
  bool listed = false;
  bool trace_ok = true;
  http::HeaderField* request_id = nullptr;
  http::HeaderField* trace_parent = nullptr;
  bool trace_state = false;
  for (auto& field : head.headers.fields()) {
    if (field.id == http::FieldId::kConnection) listed = true;
    if (http::isHopByHop(field.id)) field.dropped = true;
    if (field.id == http::FieldId::kExpect && !head.expects_continue) field.dropped = true;
    if (field.id != http::FieldId::kOther) continue;
    const auto name = foldedName(field.name, buffer);
    const bool odd = name.data() != field.name.data();
    if (isUntrusted(field.name, name, trust)) field.dropped = true;
    else if (odd && http::fieldId(name) != http::FieldId::kOther) field.dropped = true;
    else if (name == "x-request-id") {
      field.dropped = odd || !validRequestId(field.value) || request_id != nullptr;
      if (request_id != nullptr) request_id->dropped = true;  // of two, services may use either
      request_id = &field;
    } else if (name == "traceparent") {
      trace_ok = trace_ok && !odd && trace_parent == nullptr && validTraceParent(field.value);
      trace_parent = &field;
    } else if (name == "tracestate") {
      trace_state = true;
      if (odd) field.dropped = true;
    }
  }
  if (listed) dropListed(head.headers);
  if (!owned.empty()) dropNamed(head.headers, owned);
  if (trace_parent != nullptr ? trace_ok : !trace_state) return;
  for (auto& field : head.headers.fields()) {
    const auto name = foldedName(field.name, buffer);
    if (name == "traceparent" || name == "tracestate") field.dropped = true;
  }
}

void dropUntrustedTrailers(http::RequestHead& head, std::span<const std::string> owned) {
  std::string buffer;
  for (auto& field : head.trailers.fields()) {
    const auto name = foldedName(field.name, buffer);
    if (familyOf(name) != nullptr || http::fieldId(name) != http::FieldId::kOther) field.dropped = true;
  }
  dropNamed(head.trailers, owned);
}

void dropFromResponse(http::ResponseHead& head) {
  bool listed = false;
  std::string buffer;
  for (auto& field : head.headers.fields()) {
    if (field.id == http::FieldId::kConnection) listed = true;
    if (http::isHopByHop(field.id) && field.id != http::FieldId::kContentLength) field.dropped = true;
    if (field.name.starts_with('x') && foldedName(field.name, buffer).starts_with("x-yett-")) field.dropped = true;
  }
  if (listed) dropListed(head.headers);
}

bool validTraceParent(std::string_view v) {
  // An unknown version is parsed at the positions of version 00 (W3C Trace Context 3.2.4, 2.2.2.1).
  if (v.size() < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' || v.starts_with("ff")) return false;
  if (v.size() > 55 && (v.starts_with("00") || v[55] != '-')) return false;
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  for (const auto part : {v.substr(0, 2), v.substr(3, 32), v.substr(36, 16), v.substr(53, 2)}) {
    if (!std::all_of(part.begin(), part.end(), hex)) return false;
  }
  return v.substr(3, 32).find_first_not_of('0') != std::string_view::npos &&
         v.substr(36, 16).find_first_not_of('0') != std::string_view::npos;
}

bool validRequestId(std::string_view value) {
  return !value.empty() && value.size() <= 128 &&
         std::all_of(value.begin(), value.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace yett::request
