// Statistics: computed from text numbers, not from whole rows.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "audit/reader.h"

namespace yett::audit {
namespace {

constexpr const char* kErased = "(erased)";

bool isPersonal(size_t column) {
  return layout(Kind::kDecision).columns[column].personal;
}

// The rows of one block, in groups.
class BlockGroups {
 public:
  BlockGroups(BlockData& data, const std::vector<uint32_t>& rows) : data_(data), rows_(rows), group_(rows.size(), 0) {}

  // Divides the groups further, by the values of one column.
  Status divide(size_t column) {
    const auto* texts = TRY(data_.texts(Kind::kDecision, column));
    const auto gone = static_cast<uint32_t>(texts->entries());
    std::unordered_map<uint64_t, uint32_t> numbers;
    std::vector<std::vector<std::string>> keys;
    uint64_t last = UINT64_MAX;
    uint32_t number = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const bool erased = isPersonal(column) && data_.record(Kind::kDecision, rows_[i]).erased;
      const uint32_t entry = erased ? gone : texts->rows()[rows_[i]];
      const uint64_t both = uint64_t{group_[i]} << 32 | entry;
      if (both != last) {
        const auto [at, fresh] = numbers.try_emplace(both, static_cast<uint32_t>(keys.size()));
        if (fresh) {
          keys.push_back(keys_[group_[i]]);
          keys.back().push_back(erased ? kErased : std::string(texts->entry(entry)));
        }
        last = both;
        number = at->second;
      }
      group_[i] = number;
    }
    keys_ = std::move(keys);
    return {};
  }

  Status addTo(std::map<std::vector<std::string>, Group>& all) {
    const auto* effects = TRY(data_.texts(Kind::kDecision, decisionColumn("effect")));
    const auto* errors = TRY(data_.texts(Kind::kDecision, decisionColumn("errors")));
    const auto& times = TRY(data_.numbers(Kind::kDecision, Place::kTime))->rows();
    std::vector<bool> denies(effects->entries());
    for (size_t i = 0; i < denies.size(); ++i) denies[i] = effects->entry(i) == "deny";
    std::vector<bool> fails(errors->entries());
    for (size_t i = 0; i < fails.size(); ++i) fails[i] = !errors->entry(i).empty();
    std::vector<Group> groups(keys_.size());
    for (size_t i = 0; i < rows_.size(); ++i) {
      Group& group = groups[group_[i]];
      const uint32_t row = rows_[i];
      const int64_t time = times[row];
      group.first = group.count == 0 ? time : std::min(group.first, time);
      group.last = group.count == 0 ? time : std::max(group.last, time);
      ++group.count;
      group.denied += denies[effects->rows()[row]] ? 1 : 0;
      group.errors += fails[errors->rows()[row]] ? 1 : 0;
    }
    for (size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].count == 0) continue;
      Group& group = all[keys_[i]];
      group.first = group.count == 0 ? groups[i].first : std::min(group.first, groups[i].first);
      group.last = std::max(group.last, groups[i].last);
      group.count += groups[i].count;
      group.denied += groups[i].denied;
      group.errors += groups[i].errors;
    }
    return {};
  }

 private:
  BlockData& data_;
  const std::vector<uint32_t>& rows_;
  std::vector<uint32_t> group_;  // of each row
  std::vector<std::vector<std::string>> keys_{{}};
};

}  // namespace

const std::vector<std::string>& groupable() {
  static const std::vector<std::string> kNames = {"effect",   "principal", "policy", "rule",
                                                  "method",   "path",      "host",   "route",
                                                  "listener", "source",    "reason", "policy_digest"};
  return kNames;
}

Result<std::vector<Group>> Reader::groups(const Query& asked, const std::vector<std::string>& by) {
  for (const auto& name : by) {
    if (std::find(groupable().begin(), groupable().end(), name) == groupable().end())
      return Error{"`" + name + "` is not a column to group by"};
  }
  const Search search(asked);
  std::map<std::vector<std::string>, Group> found;
  TRY(eachBlock(search, [&](BlockData& data, const Moment&, int64_t) -> Result<bool> {
    const auto rows = TRY(search.rows(data));
    BlockGroups groups(data, rows);
    for (const auto& name : by) TRY(groups.divide(decisionColumn(name)));
    TRY(groups.addTo(found));
    return true;
  }));
  std::vector<Group> out;
  for (auto& [key, group] : found) {
    group.key = key;
    out.push_back(std::move(group));
  }
  std::stable_sort(out.begin(), out.end(), [](const Group& a, const Group& b) { return a.count > b.count; });
  if (static_cast<int64_t>(out.size()) > asked.limit) out.resize(static_cast<size_t>(asked.limit));
  return out;
}

}  // namespace yett::audit
