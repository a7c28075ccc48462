#include "upstream/balancer.h"

#include <algorithm>
#include <utility>

namespace yett::upstream {

Balancer::Balancer(Balance kind, const std::vector<std::string>& names, std::vector<uint32_t> weights,
                   const EndpointStates& states)
    : kind_(kind), weights_(std::move(weights)), states_(states), credit_(weights_.size(), 0) {
  uint64_t sum = 0;
  for (const uint32_t weight : weights_) sums_.push_back(sum += weight);
  if (kind_ == Balance::kRingHash) ring_.emplace(names, weights_);
}

size_t Balancer::next(int64_t now_millis, std::optional<uint64_t> key) {
  if (weights_.size() == 1) return 0;
  switch (kind_) {
    case Balance::kRoundRobin: return roundRobin(now_millis);
    case Balance::kRandom: return byWeight(now_millis);
    case Balance::kRingHash:
      if (key) {
        const bool any = anyUsable(now_millis);
        return ring_->at(*key, [&](size_t endpoint) { return !any || states_.usable(endpoint, now_millis); });
      }
      break;
    case Balance::kLeastRequest: break;
  }
  return leastRequest(now_millis);
}

bool Balancer::anyUsable(int64_t now_millis) const {
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (states_.usable(i, now_millis)) return true;
  }
  return false;
}

// At random by weight. A few tries suffice while most endpoints are usable.
size_t Balancer::byWeight(int64_t now_millis) {
  constexpr int kTries = 4;
  const auto draw = [&](uint64_t sum) { return std::uniform_int_distribution<uint64_t>(0, sum - 1)(random_); };
  size_t drawn = 0;
  for (int i = 0; i < kTries; ++i) {
    drawn = static_cast<size_t>(std::upper_bound(sums_.begin(), sums_.end(), draw(sums_.back())) - sums_.begin());
    if (states_.usable(drawn, now_millis)) return drawn;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < weights_.size(); ++i) sum += states_.usable(i, now_millis) ? weights_[i] : 0;
  if (sum == 0) return drawn;
  uint64_t left = draw(sum);
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (!states_.usable(i, now_millis)) continue;
    if (left < weights_[i]) return i;
    left -= weights_[i];
  }
  return drawn;
}

// Power of two choices. Where both are equally busy the first stays, so that idle endpoints share by weight.
size_t Balancer::leastRequest(int64_t now_millis) {
  const size_t one = byWeight(now_millis);
  const size_t other = byWeight(now_millis);
  const uint64_t load = uint64_t{states_.inFlight(one)} * weights_[other];
  const uint64_t other_load = uint64_t{states_.inFlight(other)} * weights_[one];
  return other_load < load ? other : one;
}

// Each gains its weight, the richest is taken and pays for all: an endpoint of weight 2 is not taken twice in a row.
size_t Balancer::roundRobin(int64_t now_millis) {
  const bool any = anyUsable(now_millis);
  int64_t total = 0;
  size_t best = weights_.size();
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (any && !states_.usable(i, now_millis)) continue;
    total += weights_[i];
    credit_[i] += weights_[i];
    if (best == weights_.size() || credit_[i] > credit_[best]) best = i;
  }
  credit_[best] -= price_ = total;
  return best;
}

size_t Balancer::other(size_t endpoint, int64_t now_millis) const {
  const size_t count = weights_.size();
  for (size_t i = 1; i < count; ++i) {
    const size_t at = (endpoint + i) % count;
    if (states_.usable(at, now_millis)) return at;
  }
  return endpoint;
}

size_t Balancer::after(size_t endpoint, int64_t now_millis) {
  const size_t count = weights_.size();
  size_t other = (endpoint + 1) % count;
  for (size_t i = 1; i < count; ++i) {
    const size_t at = (endpoint + i) % count;
    if (!states_.usable(at, now_millis)) continue;
    other = at;
    break;
  }
  credit_[endpoint] += price_;  // the turn is the other's
  credit_[other] -= price_;
  return other;
}

}  // namespace yett::upstream
