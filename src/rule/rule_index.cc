#include "rule/rule_index.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/hash.h"
#include "base/text.h"
#include "policy/attribute_reader.h"
#include "policy/check_request.h"
#include "target/regex.h"
#include "target/segment_pattern.h"

namespace yett::rule {
namespace {

constexpr size_t kMostSegments = 32;

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

std::string_view view(const std::array<unsigned char, 16>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What follows the first of the last `dots` dots, that one included; "" where there are fewer or nothing before it.
std::string_view suffixOf(std::string_view host, size_t dots) {
  size_t at = host.size();
  for (size_t i = 0; i < dots; ++i) {
    at = at == 0 ? std::string_view::npos : host.rfind('.', at - 1);
    if (at == std::string_view::npos) return {};
  }
  return at == 0 ? std::string_view() : host.substr(at);
}

constexpr uint64_t kSeed = 0x8ebc6af09c88c6e3;
constexpr size_t kRecordSize = 48;  // what is used of a Record; literals begin in its cache line

// Path segments that differ by ASCII case alone share a hash: a deny means both. The records know better.
uint64_t foldedHash(std::string_view segment) {
  char small[128];
  if (segment.size() > sizeof small) return base::hashBytes(base::lowered(segment), kSeed);
  std::transform(segment.begin(), segment.end(), small, base::toLower);
  return base::hashBytes({small, segment.size()}, kSeed);
}

uint64_t add(uint64_t hash, uint64_t part) {
  return base::mixed(hash ^ part, 0xa0761d6478bd642f) | 1;  // never 0, which means "does not fit"
}

}  // namespace

// Sorts rules into shapes, then lays the table out.
class RuleIndex::Builder {
 public:
  explicit Builder(RuleIndex& index) : index_(index) {}

  void add(uint32_t number) {
    const Rule& rule = index_.rules_[number];
    const Matchers& m = rule.wanted;
    std::array<std::vector<Choice>, 5> choices;
    bool whole = rule.unwanted != nullptr || !m.headers.empty() || !m.queries.empty() || !m.grpcs.empty();
    for (const auto& path : m.paths) {
      if (path.regex) addRegex(number, *path.regex, rule);
      else if (path.pattern.segments().size() > kMostSegments) whole = true, choices[kPath].push_back({});
      else choices[kPath].push_back(segments(path.pattern));
      if (m.paths.size() > 1 && rule.condition >= 0 && !path.pattern.captures().empty()) whole = true;
    }
    if (!m.paths.empty() && choices[kPath].empty()) return;  // expressions only
    for (const auto& principal : m.principals) choices[kPrincipal].push_back(caller(principal, whole));
    for (const auto& host : m.hosts) choices[kHost].push_back(hostOf(host, whole));
    for (const auto& method : m.methods) {
      choices[kMethod].push_back({{Look::Kind::kExact}, {method}});
      if (rule.deny() && method == "GET") choices[kMethod].push_back({{Look::Kind::kExact}, {"HEAD"}});
    }
    for (const auto& source : m.sources) {
      choices[kSource].push_back(
          {{Look::Kind::kPrefix, static_cast<uint8_t>(source.bits())}, {std::string(view(source.base().bytes()))}});
    }
    limit(choices, whole);
    expand(number, rule, choices, whole);
  }

  void finish() {
    size_t size = 16;
    while (size < found_.size() * 2) size *= 2;
    index_.slots_.resize(size);
    // Rules come in their order, so appending to what a slot has keeps it.
    std::vector<uint32_t> last(size);
    for (const auto& [hash, record] : found_) {
      const size_t slot = index_.slotOf(hash);
      if (index_.slots_[slot].tag == 0) index_.slots_[slot] = {tagOf(hash), record};
      else recordAt(last[slot]).next = record;
      last[slot] = record;
    }
    index_.records_.shrink_to_fit();
    index_.regexes_.compile();
  }

 private:
  struct Choice {
    Look look;
    std::vector<std::string> literals;
    bool slash_counts = false;
    bool slash = false;
  };
  struct Found {
    uint64_t hash;
    uint32_t record;
  };

  static Choice segments(const target::SegmentPattern& pattern) {
    Choice out{{Look::Kind::kSegments, static_cast<uint8_t>(pattern.segments().size()), pattern.rest(), 0}, {}};
    for (size_t i = 0; i < pattern.segments().size(); ++i) {
      if (pattern.segments()[i].any) continue;
      out.look.mask |= 1u << i;
      out.literals.push_back(pattern.segments()[i].text);
    }
    out.slash_counts = !pattern.rest();
    out.slash = pattern.trailingSlash();
    return out;
  }

  static Choice caller(const PrincipalMatcher& matcher, bool& whole) {
    switch (matcher.kind) {
      case PrincipalMatcher::Kind::kAnyone: return {};
      case PrincipalMatcher::Kind::kAuthenticated: return {{Look::Kind::kAuthenticated}, {}};
      case PrincipalMatcher::Kind::kRegex: whole = true; return {{Look::Kind::kAuthenticated}, {}};
      case PrincipalMatcher::Kind::kPattern: break;
    }
    if (matcher.path.segments().size() >= kMostSegments) return whole = true, Choice{};
    Choice out = segments(matcher.path);
    out.look.mask = out.look.mask << 1 | 1;  // the trust domain stands before the segments
    ++out.look.count;
    out.literals.insert(out.literals.begin(), matcher.trust_domain);
    return out;
  }

  static Choice hostOf(const HostMatcher& matcher, bool& whole) {
    if (matcher.regex) return whole = true, Choice{};
    const std::string& name = matcher.pattern.name();
    if (!matcher.pattern.wildcard()) return {{Look::Kind::kExact}, {name}};
    return {{Look::Kind::kSuffix, static_cast<uint8_t>(std::count(name.begin(), name.end(), '.'))}, {name}};
  }

  // Too many combinations: the longest list is left to the matchers.
  static void limit(std::array<std::vector<Choice>, 5>& choices, bool& whole) {
    constexpr size_t kMostEntries = 256;
    for (;;) {
      size_t product = 1;
      auto* longest = &choices[0];
      for (auto& list : choices) {
        product *= std::max<size_t>(list.size(), 1);
        if (list.size() > longest->size()) longest = &list;
      }
      if (product <= kMostEntries) break;
      longest->clear();
      whole = true;
    }
    for (auto& list : choices) {
      if (list.empty()) list.emplace_back();
    }
  }

  void expand(uint32_t number, const Rule& rule, const std::array<std::vector<Choice>, 5>& choices, bool whole) {
    for (const auto& path : choices[kPath])
      for (const auto& principal : choices[kPrincipal])
        for (const auto& host : choices[kHost])
          for (const auto& method : choices[kMethod])
            for (const auto& source : choices[kSource])
              addEntry(number, rule, {&path, &principal, &host, &method, &source}, whole);
  }

  void addEntry(uint32_t number, const Rule& rule, const std::array<const Choice*, 5>& choice, bool whole) {
    Shape shape{};
    for (size_t d = 0; d < 5; ++d) shape.looks[d] = lookNumber(d, choice[d]->look);
    const uint32_t shape_number = shapeNumber(shape);
    uint64_t hash = shapeSeed(shape_number);
    const uint32_t record = addRecord(number, rule, shape_number);
    {
      Record& r = recordAt(record);
      r.slash_counts = choice[kPath]->slash_counts && !rule.deny();
      r.slash = choice[kPath]->slash;
      r.whole = whole;
      r.fold = rule.deny() && !rule.exact_case;
    }
    for (size_t d = 0; d < 5; ++d) {
      uint64_t part = kSeed;
      for (const auto& literal : choice[d]->literals) {
        part = rule::add(part, d == kPath ? foldedHash(literal) : base::hashBytes(literal, kSeed));
        const auto size = static_cast<uint16_t>(literal.size());
        const auto* bytes = reinterpret_cast<const char*>(&size);
        index_.records_.insert(index_.records_.end(), bytes, bytes + sizeof size);
        index_.records_.insert(index_.records_.end(), literal.begin(), literal.end());
      }
      hash = rule::add(hash, part | 1);
    }
    found_.push_back({hash, record});
  }

  Record& recordAt(uint32_t record) { return *reinterpret_cast<Record*>(index_.records_.data() + record); }

  static_assert(offsetof(Record, kind) + 2 <= kRecordSize);
  // The fixed part of a record; its literals follow. None is at 0.
  uint32_t addRecord(uint32_t number, const Rule& rule, uint32_t shape) {
    Record record{rule.policy, rule.name, 0, number, shape, rule.kind};
    record.plain = rule.condition < 0 && rule.reason.empty() && rule.public_reason.empty() &&
                   rule.obligations == nullptr && rule.status == 403;
    record.path = !rule.wanted.paths.empty();
    record.captures = rule.condition >= 0 && rule.wanted.paths.size() == 1;
    auto& records = index_.records_;
    records.resize((std::max<size_t>(records.size(), 1) + alignof(Record) - 1) / alignof(Record) * alignof(Record));
    const auto at = static_cast<uint32_t>(records.size());
    const auto* bytes = reinterpret_cast<const char*>(&record);
    records.insert(records.end(), bytes, bytes + kRecordSize);
    return at;
  }

  static uint64_t shapeSeed(uint32_t shape) { return rule::add(kSeed, shape); }

  uint16_t lookNumber(size_t dimension, const Look& look) {
    auto& list = index_.looks_[dimension];
    const auto it = std::find(list.begin(), list.end(), look);
    if (it != list.end()) return static_cast<uint16_t>(it - list.begin());
    list.push_back(look);
    return static_cast<uint16_t>(list.size() - 1);
  }

  uint32_t shapeNumber(const Shape& shape) {
    const auto [it, fresh] = shape_numbers_.try_emplace(shape, static_cast<uint32_t>(index_.shapes_.size()));
    if (fresh) index_.shapes_.push_back(shape);
    return it->second;
  }

  void addRegex(uint32_t number, const target::Regex& regex, const Rule& rule) {
    const auto [it, fresh] = regex_places_.try_emplace(regex.text(), 0);
    if (!fresh && recordAt(regex_last_[it->second]).rule == number) return;
    const uint32_t record = addRecord(number, rule, 0);
    recordAt(record).whole = true;
    if (fresh) {
      it->second = index_.regexes_.add(regex);
      index_.regex_records_.push_back(record);
      regex_last_.push_back(record);
    } else {
      recordAt(regex_last_[it->second]).next = record;
      regex_last_[it->second] = record;
    }
  }

  RuleIndex& index_;
  std::vector<Found> found_;
  std::map<Shape, uint32_t> shape_numbers_;
  std::map<std::string, size_t> regex_places_;
  std::vector<uint32_t> regex_last_;  // by place
};

RuleIndex::RuleIndex(std::span<const Rule> rules) : rules_(rules) {
  Builder builder(*this);
  for (uint32_t i = 0; i < rules.size(); ++i) builder.add(i);
  builder.finish();
}

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
    case Look::Kind::kAuthenticated: return r.principal->anonymous() ? 0 : part | 1;
    case Look::Kind::kSegments: {
      const auto& parts = dimension == kPath ? search.path_ : search.principal_;
      if (look.rest ? parts.size() < look.count : parts.size() != look.count) return 0;
      if (dimension == kPath && !r.path.starts_with('/') && look.count > 0) return 0;
      for (uint32_t mask = look.mask; mask != 0; mask &= mask - 1)
        part = add(part, parts[static_cast<size_t>(__builtin_ctz(mask))].hash);
      return part | 1;
    }
    case Look::Kind::kExact:
      if (dimension == kHost && r.host.empty()) return 0;
      return add(part, base::hashBytes(dimension == kHost ? r.host : r.method, kSeed));
    case Look::Kind::kSuffix: {
      const auto suffix = suffixOf(r.host, look.count);
      return suffix.empty() ? 0 : add(part, base::hashBytes(suffix, kSeed));
    }
    case Look::Kind::kPrefix:
      if (!r.source.known()) return 0;
      return add(part, base::hashBytes(view(prefixOf(r.source.bytes(), look.count)), kSeed));
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
  // A connection asks again and again for the same caller.
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
    uint64_t hash = add(kSeed, i);
    bool fits = true;
    for (size_t d = 0; d < 5 && fits; ++d) {
      const uint64_t part = hashes_[d][index.shapes_[i].looks[d]];
      fits = part != 0;
      hash = add(hash, part);
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
  for (size_t d = 0; d < 5; ++d) {
    const Look& look = index_->looks_[d][index_->shapes_[shape].looks[d]];
    switch (look.kind) {
      case Look::Kind::kAny:
      case Look::Kind::kAuthenticated: break;
      case Look::Kind::kSegments:
        for (uint32_t mask = look.mask; mask != 0; mask &= mask - 1) {
          const auto& parts = d == kPath ? path_ : principal_;
          const auto wanted = takeLiteral(at);
          const auto sent = parts[static_cast<size_t>(__builtin_ctz(mask))].text;
          if (wanted != sent && !(record.fold && d == kPath && base::equalsIgnoreCase(wanted, sent))) return false;
        }
        break;
      case Look::Kind::kExact:
        if (takeLiteral(at) != (d == kHost ? r.host : r.method)) return false;
        break;
      case Look::Kind::kSuffix:
        if (takeLiteral(at) != suffixOf(r.host, look.count)) return false;
        break;
      case Look::Kind::kPrefix:
        if (takeLiteral(at) != view(prefixOf(r.source.bytes(), look.count))) return false;
        break;
    }
  }
  if (!r.path.starts_with('/') && record.kind == Rule::Kind::kAllow && record.path) return false;
  return !record.slash_counts || record.slash == slash_;
}

// The span whose next rule comes first; with many of them a heap, which is kept from call to call.
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
    if (found.rule == last_) continue;  // found already by another of its paths, or of its callers
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
