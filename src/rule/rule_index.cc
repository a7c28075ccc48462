#include "rule/rule_index.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "policy/attribute_reader.h"
#include "policy/check_request.h"
#include "rule/index_key.h"
#include "target/regex.h"
#include "target/segment_pattern.h"

namespace yett::rule {
namespace {

std::string_view takeLiteral(const char*& at) {
  uint16_t size = 0;
  std::memcpy(&size, at, sizeof size);
  const std::string_view out(at + sizeof size, size);
  at += sizeof size + size;
  return out;
}

std::array<unsigned char, 16> prefixOf(const std::array<unsigned char, 16>& address, size_t bits) {
  std::array<unsigned char, 16> out{};
  std::copy_n(address.begin(), bits / 8, out.begin());
  if (bits % 8 != 0) out[bits / 8] = static_cast<unsigned char>(address[bits / 8] & (0xff00 >> (bits % 8)));
  return out;
}

// The rest of `host` from the first of its last `dots` dots on; "" if it has fewer dots or nothing precedes them.
std::string_view suffixOf(std::string_view host, size_t dots) {
  size_t at = host.size();
  for (size_t i = 0; i < dots; ++i) {
    at = at == 0 ? std::string_view::npos : host.rfind('.', at - 1);
    if (at == std::string_view::npos) return {};
  }
  return at == 0 ? std::string_view() : host.substr(at);
}

}  // namespace

size_t RuleIndex::slotOf(uint64_t hash) const {
  const uint32_t tag = tagOf(hash);
  size_t at = hash & (slots_.size() - 1);
  while (slots_[at].tag != 0 && slots_[at].tag != tag) at = (at + 1) & (slots_.size() - 1);
  return at;
}

uint64_t RuleIndex::hashOf(Dimension dimension, const Look& look, const Search& search) const {
  const policy::CheckRequest& r = search.reader_->request();
  uint64_t part = kSeed;
  switch (look.kind) {
    case Look::Kind::kAny: return part | 1;
    case Look::Kind::kAuthenticated: return r.principal->hasSpiffeId() ? part | 1 : 0;
    case Look::Kind::kSegments: {
      const auto& parts = dimension == kPath ? search.path_ : search.principal_;
      if (look.rest ? parts.size() < look.count : parts.size() != look.count) return 0;
      if (dimension == kPath && !r.path.starts_with('/') && look.count > 0) return 0;
      for (uint32_t mask = look.mask; mask != 0; mask &= mask - 1)
        part = addTo(part, parts[static_cast<size_t>(__builtin_ctz(mask))].hash);
      return part | 1;
    }
    case Look::Kind::kEnds: {
      const auto& parts = dimension == kPath ? search.path_ : search.principal_;
      if (parts.size() < look.count || (dimension == kPath && !r.path.starts_with('/'))) return 0;
      for (uint32_t mask = look.mask; mask != 0; mask &= mask - 1)
        part = addTo(part, parts[static_cast<size_t>(__builtin_ctz(mask))].hash);
      for (uint32_t tail = look.tail; tail != 0; tail &= tail - 1)
        part = addTo(part, parts[parts.size() - 1 - static_cast<size_t>(__builtin_ctz(tail))].hash);
      return part | 1;
    }
    case Look::Kind::kExact:
      if (dimension == kHost && r.host.empty()) return 0;
      return addTo(part, base::hashBytes(dimension == kHost ? r.host : r.method, kSeed));
    case Look::Kind::kSuffix: {
      const auto suffix = suffixOf(r.host, look.count);
      return suffix.empty() ? 0 : addTo(part, base::hashBytes(suffix, kSeed));
    }
    case Look::Kind::kPrefix:
      if (!r.source.known()) return 0;
      return addTo(part, base::hashBytes(viewOf(prefixOf(r.source.bytes(), look.count)), kSeed));
  }
  return 0;
}

void RuleIndex::Search::split(std::string_view path, bool fold, std::vector<Part>& parts) const {
  size_t begin = 1;
  bool upper = false;
  for (size_t i = 1; i <= path.size(); ++i) {
    if (i < path.size() && path[i] != '/') {
      upper |= static_cast<unsigned char>(path[i] - 'A') < 26;
      continue;
    }
    if (i == path.size() && begin == i) break;  // a trailing slash begins no segment
    const auto segment = path.substr(begin, i - begin);
    parts.push_back({segment, fold && upper ? foldedHash(segment) : base::hashBytes(segment, kSeed)});
    begin = i + 1;
    upper = false;
  }
}

void RuleIndex::Search::start(const RuleIndex& index, policy::AttributeReader& reader) {
  index_ = &index;
  reader_ = &reader;
  spans_.clear();
  probes_.clear();
  heaped_ = moved_ = false;
  last_ = UINT32_MAX;
  const policy::CheckRequest& r = reader.request();
  path_.clear();
  slash_ = r.path.ends_with('/');
  split(r.path, true, path_);
  // Requests on a connection have the same caller again and again.
  if (r.principal->trust_domain != trust_domain_ || r.principal->path != principal_path_) {
    trust_domain_ = r.principal->trust_domain;
    principal_path_ = r.principal->path;
    principal_.clear();
    if (!r.principal->anonymous()) {
      principal_.push_back({trust_domain_, base::hashBytes(trust_domain_, kSeed)});
      split(principal_path_, false, principal_);
    }
  }
  for (size_t d = 0; d < 5; ++d) {
    const auto& looks = index.looks_[d];
    if (hashes_[d].size() != looks.size()) hashes_[d].resize(looks.size());
    uint64_t* hash = hashes_[d].data();
    for (const auto& look : looks)
      *hash++ = look.kind == Look::Kind::kAny ? kSeed | 1 : index.hashOf(static_cast<Dimension>(d), look, *this);
  }
  for (uint32_t i = 0; i < index.shapes_.size(); ++i) {
    uint64_t hash = addTo(kSeed, i);
    bool fits = true;
    for (size_t d = 0; d < 5 && fits; ++d) {
      const uint64_t part = hashes_[d][index.shapes_[i].looks[d]];
      fits = part != 0;
      hash = addTo(hash, part);
    }
    if (!fits) continue;
    __builtin_prefetch(&index.slots_[hash & (index.slots_.size() - 1)]);
    probes_.emplace_back(hash, i);
  }
  for (const auto& [hash, shape] : probes_) {
    const Slot& slot = index.slots_[index.slotOf(hash)];
    if (slot.tag == 0) continue;
    const Record* record = index.at(slot.record);
    __builtin_prefetch(record);
    __builtin_prefetch(record + 1);
    spans_.push_back({record, shape});
  }
  if (index.regexes_.size() == 0) return;
  for (auto path = r.path;; path.remove_suffix(1)) {
    index.regexes_.match(path, expressions_);
    for (const int place : expressions_) {
      spans_.push_back({index.at(index.regex_records_[static_cast<size_t>(place)]), 0});
    }
    if (path.size() < 2 || path.size() != r.path.size() || !slash_) break;  // a deny ignores a trailing slash
  }
}

bool RuleIndex::Search::verify(const Record& record, uint32_t shape) const {
  if (record.shape != shape) return false;
  const char* at = reinterpret_cast<const char*>(&record) + kRecordSize;
  const policy::CheckRequest& r = reader_->request();
  const auto same = [&](size_t d, size_t place) {
    const auto wanted = takeLiteral(at);
    const auto sent = (d == kPath ? path_ : principal_)[place].text;
    return wanted == sent || (record.fold && d == kPath && base::equalsIgnoreCase(wanted, sent));
  };
  for (size_t d = 0; d < 5; ++d) {
    const Look& look = index_->looks_[d][index_->shapes_[shape].looks[d]];
    switch (look.kind) {
      case Look::Kind::kAny:
      case Look::Kind::kAuthenticated: break;
      case Look::Kind::kSegments:
        for (uint32_t mask = look.mask; mask != 0; mask &= mask - 1) {
          if (!same(d, static_cast<size_t>(__builtin_ctz(mask)))) return false;
        }
        break;
      case Look::Kind::kEnds: {
        const size_t last = (d == kPath ? path_ : principal_).size() - 1;
        for (uint32_t mask = look.mask; mask != 0; mask &= mask - 1) {
          if (!same(d, static_cast<size_t>(__builtin_ctz(mask)))) return false;
        }
        for (uint32_t tail = look.tail; tail != 0; tail &= tail - 1) {
          if (!same(d, last - static_cast<size_t>(__builtin_ctz(tail)))) return false;
        }
        break;
      }
      case Look::Kind::kExact:
        if (takeLiteral(at) != (d == kHost ? r.host : r.method)) return false;
        break;
      case Look::Kind::kSuffix:
        if (takeLiteral(at) != suffixOf(r.host, look.count)) return false;
        break;
      case Look::Kind::kPrefix:
        if (takeLiteral(at) != viewOf(prefixOf(r.source.bytes(), look.count))) return false;
        break;
    }
  }
  if (!r.path.starts_with('/') && record.kind == Rule::Kind::kAllow && record.path) return false;
  return !record.slash_counts || record.slash == slash_;
}

// The span whose next rule comes first. Many spans are kept in a heap, which persists between calls.
RuleIndex::Search::Span* RuleIndex::Search::least() {
  constexpr size_t kFew = 8;
  const auto later = [](const Span& a, const Span& b) { return a.now->rule > b.now->rule; };
  if (moved_) {
    moved_ = false;
    if (heaped_) std::pop_heap(spans_.begin(), spans_.end(), later);
    else std::swap(*least_, spans_.back());
    Span& last = spans_.back();
    last.now = index_->at(last.now->next);
    if (last.now == nullptr) spans_.pop_back();
    else if (heaped_) std::push_heap(spans_.begin(), spans_.end(), later);
  } else if (spans_.size() > kFew) {
    std::make_heap(spans_.begin(), spans_.end(), later);
    heaped_ = true;
  }
  if (spans_.empty()) return nullptr;
  least_ = heaped_ ? spans_.data() : &*std::max_element(spans_.begin(), spans_.end(), later);
  moved_ = true;
  return least_;
}

bool RuleIndex::Search::next(const Record*& record, const target::SegmentPattern*& path) {
  for (;;) {
    const Span* least = this->least();
    if (least == nullptr) return false;
    const Record& found = *least->now;
    if (found.rule == last_) continue;  // already found through another of its paths or callers
    path = nullptr;
    if (found.whole) {
      if (!matches(index_->rules_[found.rule], *reader_, path)) continue;
    } else {
      if (!verify(found, least->shape)) continue;
      if (found.captures) path = &index_->rules_[found.rule].wanted.paths[0].pattern;
    }
    last_ = found.rule;
    record = &found;
    return true;
  }
}

}  // namespace yett::rule
