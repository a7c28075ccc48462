#include "upstream/balancer.h"

#include <algorithm>
#include <utility>

namespace yett::upstream {
namespace {

constexpr int64_t kLookEvery = 50;     // milliseconds, for what only time or a health check changes
constexpr uint64_t kWhole = 1000;      // of a weight
constexpr uint64_t kSpareShare = 140;  // percent: an own zone with 72 % of its endpoints still takes all

std::shared_ptr<const Ring> ringOf(const std::vector<Balancer::Member>& members) {
  std::vector<std::string> names;
  std::vector<uint32_t> weights;
  for (const auto& member : members) {
    names.push_back(member.name);
    weights.push_back(member.weight);
  }
  return std::make_shared<const Ring>(names, weights);
}

}  // namespace

Balancer::Balancer(const Options& options, std::vector<Member> members, EndpointStates& states, Panic panic,
                   const Balancer* before)
    : options_(options),
      members_(std::move(members)),
      states_(states),
      panic_(std::move(panic)),
      panics_(options.panics),
      eligible_(members_.size(), true),
      weights_(members_.size(), 0),
      credit_(members_.size(), 0) {
  if (options_.kind != Balance::kRingHash || members_.empty()) return;
  const bool same = before != nullptr && before->ring_ != nullptr &&
                    std::equal(members_.begin(), members_.end(), before->members_.begin(), before->members_.end(),
                               [](const Member& a, const Member& b) { return a.samePoints(b); });
  ring_ = same ? before->ring_ : ringOf(members_);
}

void Balancer::look(int64_t now_millis) {
  if (states_.changes() == seen_changes_ && now_millis - looked_at_ < kLookEvery && looked_at_ >= 0) return;
  seen_changes_ = states_.changes();
  looked_at_ = now_millis;
  lookAgain(now_millis);
}

// Whether health counts.
bool Balancer::judgeHealth(int64_t now_millis) {
  size_t healthy = 0;
  for (size_t i = 0; i < members_.size(); ++i) healthy += states_.healthy(i, now_millis) ? 1 : 0;
  const bool panics = healthy * 100 < static_cast<size_t>(options_.panic_threshold) * members_.size() || healthy == 0;
  if (panics != std::exchange(panics_, panics) && panic_) panic_(panics, healthy, members_.size());
  return !panics;
}

void Balancer::lookAgain(int64_t now_millis) {
  const bool health_counts = judgeHealth(now_millis);
  bool any = false;
  for (size_t i = 0; i < members_.size(); ++i) {
    eligible_[i] = states_.reachable(i, now_millis) && (!health_counts || states_.healthy(i, now_millis));
    any = any || eligible_[i];
  }
  for (auto& group : groups_) {
    group.members.clear();
    group.sums.clear();
  }
  size_t own = 0;
  for (size_t i = 0; i < members_.size(); ++i) {
    own += members_[i].own_zone ? 1 : 0;
    weights_[i] = weightNow(i, now_millis);
    if (any && !eligible_[i]) continue;
    Group& group = groups_[options_.prefer_own_zone && members_[i].own_zone ? 0 : 1];
    group.members.push_back(i);
    group.sums.push_back((group.sums.empty() ? 0 : group.sums.back()) + weights_[i]);
  }
  own_share_ = own == 0 ? 0 : std::min<uint64_t>(100, groups_[0].members.size() * kSpareShare / own);
}

uint64_t Balancer::weightNow(size_t endpoint, int64_t now_millis) {
  const uint64_t whole = uint64_t{members_[endpoint].weight} * kWhole;
  const int64_t warm = options_.slow_start.count();
  if (warm == 0) return whole;
  const int64_t since = states_.usableSince(endpoint, now_millis);
  if (since == 0 || now_millis - since >= warm) return whole;
  constexpr int64_t kLeast = 10;  // percent: with less it would hardly get the requests that warm it up
  const int64_t percent = std::max(kLeast, (now_millis - since) * 100 / warm);
  return whole * static_cast<uint64_t>(percent) / 100;
}

size_t Balancer::next(int64_t now_millis, std::optional<uint64_t> key) {
  look(now_millis);
  if (members_.size() == 1) return 0;
  switch (options_.kind) {
    case Balance::kRoundRobin: return roundRobin();
    case Balance::kRandom: return byWeight();
    case Balance::kRingHash:
      if (key) {
        const bool any = std::find(eligible_.begin(), eligible_.end(), true) != eligible_.end();
        return ring_->at(*key, [&](size_t endpoint) { return !any || eligible_[endpoint]; });
      }
      break;
    case Balance::kLeastRequest: break;
  }
  return leastRequest();
}

// One of them has a member: all endpoints count where none may be taken.
const Balancer::Group& Balancer::group() {
  if (groups_[0].members.empty()) return groups_[1];
  if (groups_[1].members.empty()) return groups_[0];
  return groups_[own_share_ >= 100 || draw(100) < own_share_ ? 0 : 1];
}

size_t Balancer::memberAt(const Group& from, uint64_t place) {
  const auto at = std::upper_bound(from.sums.begin(), from.sums.end(), place);
  return from.members[static_cast<size_t>(at - from.sums.begin())];
}

size_t Balancer::byWeight() {
  const Group& from = group();
  return memberAt(from, draw(from.sums.back()));
}

// As byWeight(), but with shares that are exact over few requests: places in steps of the golden ratio fill evenly.
size_t Balancer::inStep() {
  const Group& from = group();
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;
  phase_ += kGolden;
  return memberAt(from, static_cast<uint64_t>(static_cast<__uint128_t>(phase_) * from.sums.back() >> 64));
}

// Power of two choices. The other is taken if it is clearly less busy: by two requests, as the lighter of the two
// counts them. Less is chance, and to follow that would shift the shares.
size_t Balancer::leastRequest() {
  const size_t one = inStep();
  const size_t other = byWeight();
  const uint64_t load = states_.inFlight(one) * weights_[other];
  const uint64_t other_load = states_.inFlight(other) * weights_[one];
  return load >= other_load + 2 * std::max(weights_[one], weights_[other]) ? other : one;
}

// Each gains its weight, the richest is taken and pays for all: an endpoint of weight 2 is not taken twice in a row.
size_t Balancer::roundRobin() {
  const Group& from = group();
  int64_t total = 0;
  size_t best = from.members.front();
  for (const size_t i : from.members) {
    total += static_cast<int64_t>(weights_[i]);
    credit_[i] += static_cast<int64_t>(weights_[i]);
    if (credit_[i] > credit_[best]) best = i;
  }
  credit_[best] -= price_ = total;
  return best;
}

bool Balancer::takes(size_t endpoint, int64_t now_millis, bool& any) {
  look(now_millis);
  any = std::find(eligible_.begin(), eligible_.end(), true) != eligible_.end();
  return !any || eligible_[endpoint];
}

size_t Balancer::other(size_t endpoint, int64_t now_millis) {
  look(now_millis);
  const size_t count = members_.size();
  for (size_t i = 1; i < count; ++i) {
    const size_t at = (endpoint + i) % count;
    if (eligible_[at]) return at;
  }
  return endpoint;
}

size_t Balancer::after(size_t endpoint, int64_t now_millis) {
  look(now_millis);
  const size_t count = members_.size();
  size_t other = (endpoint + 1) % count;
  for (size_t i = 1; i < count; ++i) {
    const size_t at = (endpoint + i) % count;
    if (!eligible_[at]) continue;
    other = at;
    break;
  }
  credit_[endpoint] += price_;  // the turn is the other's
  credit_[other] -= price_;
  return other;
}

}  // namespace yett::upstream
