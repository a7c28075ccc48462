#include <map>

#include "base/hash.h"
#include "rule/index_key.h"
#include "rule/rule_index.h"
#include "target/regex.h"
#include "target/segment_pattern.h"

namespace yett::rule {

// Groups rules by shape, then builds the table.
class RuleIndex::Builder {
 public:
  explicit Builder(RuleIndex& index) : index_(index) {}

  void add(uint32_t number) {
    const Rule& rule = index_.rules_[number];
    const Matchers& m = rule.wanted;
    std::array<std::vector<Choice>, 5> choices;
    bool whole = rule.beyondIndex();
    for (const auto& path : m.paths) {
      if (path.regex) addRegex(number, *path.regex, rule);
      else if (path.pattern.asterisk() || path.pattern.segments().size() > kMaxSegments)
        whole = true, choices[kPath].push_back({});
      else choices[kPath].push_back(segments(path.pattern)), whole = whole || path.pattern.endings();
      if (m.paths.size() > 1 && rule.captures() && !path.pattern.captures().empty()) whole = true;
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
          {{Look::Kind::kPrefix, static_cast<uint8_t>(source.bits())}, {std::string(viewOf(source.base().bytes()))}});
    }
    limit(choices, whole);
    expand(number, rule, choices, whole);
  }

  void finish() {
    size_t size = 16;
    while (size < found_.size() * 2) size *= 2;
    index_.slots_.resize(size);
    // Rules are added in evaluation order, so appending to a slot preserves it.
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
    const auto& list = pattern.segments();
    const bool ends = pattern.before() < list.size();
    const auto kind = ends ? Look::Kind::kEnds : Look::Kind::kSegments;
    Choice out{{kind, static_cast<uint8_t>(list.size()), pattern.rest()}, {}};
    for (size_t i = 0; i < pattern.before(); ++i) {
      if (list[i].any) continue;
      out.look.mask |= 1u << i;
      out.literals.push_back(list[i].text);
    }
    for (size_t i = list.size(); i > pattern.before(); --i) {
      if (list[i - 1].any) continue;
      out.look.tail |= 1u << (list.size() - i);
      out.literals.push_back(list[i - 1].text);
    }
    out.slash_counts = !pattern.endsWithRest();
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
    if (matcher.path.segments().size() >= kMaxSegments) return whole = true, Choice{};
    whole = whole || matcher.path.endings();
    Choice out = segments(matcher.path);
    out.look.mask = out.look.mask << 1 | 1;  // the trust domain precedes the segments
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

  // If there are too many combinations, leaves the longest list to the matchers.
  static void limit(std::array<std::vector<Choice>, 5>& choices, bool& whole) {
    constexpr size_t kMaxEntries = 256;
    for (;;) {
      size_t product = 1;
      auto* longest = &choices[0];
      for (auto& list : choices) {
        product *= std::max<size_t>(list.size(), 1);
        if (list.size() > longest->size()) longest = &list;
      }
      if (product <= kMaxEntries) break;
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
        part = addTo(part, d == kPath ? foldedHash(literal) : base::hashBytes(literal, kSeed));
        const auto size = static_cast<uint16_t>(literal.size());
        const auto* bytes = reinterpret_cast<const char*>(&size);
        index_.records_.insert(index_.records_.end(), bytes, bytes + sizeof size);
        index_.records_.insert(index_.records_.end(), literal.begin(), literal.end());
      }
      hash = addTo(hash, part | 1);
    }
    found_.push_back({hash, record});
  }

  Record& recordAt(uint32_t record) { return *reinterpret_cast<Record*>(index_.records_.data() + record); }

  static_assert(offsetof(Record, kind) + 2 <= kRecordSize);
  // Adds the fixed part of a record; its literals follow. No record is at 0.
  uint32_t addRecord(uint32_t number, const Rule& rule, uint32_t shape) {
    Record record{rule.policy, rule.name, 0, number, shape, rule.kind};
    record.plain = rule.condition < 0 && rule.reason.empty() && rule.public_reason.empty() &&
                   rule.obligations == nullptr && rule.computed.empty() && rule.status == 403;
    record.path = !rule.wanted.paths.empty();
    record.captures = rule.captures() && rule.wanted.paths.size() == 1;
    auto& records = index_.records_;
    records.resize((std::max<size_t>(records.size(), 1) + alignof(Record) - 1) / alignof(Record) * alignof(Record));
    const auto at = static_cast<uint32_t>(records.size());
    const auto* bytes = reinterpret_cast<const char*>(&record);
    records.insert(records.end(), bytes, bytes + kRecordSize);
    return at;
  }

  static uint64_t shapeSeed(uint32_t shape) { return addTo(kSeed, shape); }

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

}  // namespace yett::rule
