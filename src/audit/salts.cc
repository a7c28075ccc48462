#include "audit/salts.h"

#include <algorithm>

namespace yett::audit {
namespace {

constexpr char kWhole = 0;
constexpr char kByGroups = 1;
enum class GroupForm : char { kNone = 0, kSeed = 1, kSalts = 2 };

using base::kAesBlock;

size_t groupsOf(size_t decisions) {
  return (decisions + kSaltGroup - 1) / kSaltGroup;
}

bool take(std::string_view& from, size_t size, std::string_view& out) {
  if (size > from.size()) return false;
  out = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

Error broken() {
  return Error{"salts that cannot be read"};
}

}  // namespace

Salts::Salts() = default;

Salts::Salts(std::string_view seed) : seed_(seed) {}

Result<std::string> Salts::groupSeed(size_t group) {
  if (seed_.empty()) return groups_[group].seed;
  std::string out(kAesBlock, '\0');
  aes_.setKey(seed_);
  if (!aes_.numbers(group, 1, out.data())) return Error{"AES is not available"};
  return out;
}

// Computes all salts of a group.
Status Salts::fill(size_t group) {
  if (filled_ == group) return {};
  filled_ = SIZE_MAX;
  aes_.setKey(TRY(groupSeed(group)));
  if (!aes_.numbers(0, kSaltGroup, salts_.data())) return Error{"AES is not available"};
  filled_ = group;
  return {};
}

Result<std::string_view> Salts::at(size_t decision) {
  const size_t group = decision / kSaltGroup;
  const size_t place = decision % kSaltGroup;
  if (seed_.empty()) {
    if (group >= groups_.size()) return Error{"a decision number outside the block"};
    if (!groups_[group].derived) return std::string_view(groups_[group].salts[place]);
  }
  TRY(fill(group));
  return std::string_view(salts_.data() + place * kAesBlock, kAesBlock);
}

// Replaces the block's seed with the seeds of the groups.
Status Salts::splitSeed(size_t decisions) {
  if (seed_.empty()) return {};
  std::vector<Group> groups(groupsOf(decisions));
  for (size_t i = 0; i < groups.size(); ++i) groups[i].seed = TRY(groupSeed(i));
  groups_ = std::move(groups);
  seed_.clear();
  return {};
}

Status Salts::remove(const std::vector<size_t>& gone, size_t decisions) {
  TRY(splitSeed(decisions));
  for (const size_t decision : gone) {
    const size_t at_group = decision / kSaltGroup;
    if (decision >= decisions || at_group >= groups_.size()) return Error{"a decision number outside the block"};
    Group& group = groups_[at_group];
    if (group.derived) {
      TRY(fill(at_group));
      const size_t first = at_group * kSaltGroup;
      group.salts.resize(kSaltGroup);
      for (size_t i = 0; i < kSaltGroup && first + i < decisions; ++i)
        group.salts[i].assign(salts_.data() + i * kAesBlock, kAesBlock);
      group.derived = false;
      group.seed.clear();
    }
    group.salts[decision % kSaltGroup].clear();
  }
  filled_ = SIZE_MAX;
  salts_.fill(0);
  return {};
}

void Salts::write(std::string& out) const {
  if (!seed_.empty()) {
    out += kWhole;
    out += seed_;
    return;
  }
  out += kByGroups;
  for (const Group& group : groups_) {
    if (group.derived) {
      out += static_cast<char>(GroupForm::kSeed);
      out += group.seed;
      continue;
    }
    uint32_t left = 0;
    for (size_t i = 0; i < group.salts.size(); ++i) left |= group.salts[i].empty() ? 0u : 1u << i;
    out += static_cast<char>(left == 0 ? GroupForm::kNone : GroupForm::kSalts);
    if (left == 0) continue;
    for (int byte = 0; byte < 4; ++byte) out += static_cast<char>(left >> (8 * byte));
    for (const auto& salt : group.salts) out += salt;
  }
}

Result<Salts> Salts::read(std::string_view bytes, size_t decisions) {
  Salts out;
  std::string_view part;
  if (!take(bytes, 1, part)) return broken();
  if (part[0] == kWhole) {
    if (bytes.size() != kAesBlock) return broken();
    out.seed_ = bytes;
    return out;
  }
  if (part[0] != kByGroups) return broken();
  out.groups_.resize(groupsOf(decisions));
  for (size_t i = 0; i < out.groups_.size(); ++i) {
    Group& group = out.groups_[i];
    if (!take(bytes, 1, part)) return broken();
    const auto form = static_cast<GroupForm>(part[0]);
    if (form == GroupForm::kSeed) {
      if (!take(bytes, kAesBlock, part)) return broken();
      group.seed = part;
      continue;
    }
    group.derived = false;
    group.salts.resize(kSaltGroup);
    if (form == GroupForm::kNone) continue;
    if (form != GroupForm::kSalts || !take(bytes, 4, part)) return broken();
    uint32_t left = 0;
    for (size_t byte = 0; byte < 4; ++byte) left |= uint32_t{static_cast<unsigned char>(part[byte])} << (8 * byte);
    const size_t here = std::min(kSaltGroup, decisions - i * kSaltGroup);
    if (left == 0 || (here < kSaltGroup && left >> here != 0)) return broken();
    for (size_t place = 0; place < here; ++place) {
      if ((left >> place & 1) == 0) continue;
      if (!take(bytes, kAesBlock, part)) return broken();
      group.salts[place] = part;
    }
  }
  if (!bytes.empty()) return broken();
  return out;
}

}  // namespace yett::audit
