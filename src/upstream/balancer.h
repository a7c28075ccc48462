// Chooses among the endpoints of a cluster, for the requests of one loop. Belongs to its pool.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/units.h"
#include "upstream/balance.h"
#include "upstream/endpoint_states.h"
#include "upstream/ring.h"

namespace yett::upstream {

/// Takes only endpoints that are usable, unless too few are healthy (panic): then health does not count. If no
/// connection can be made to any of those, all count.
class Balancer {
 public:
  struct Options {
    Balance kind = Balance::kLeastRequest;
    int64_t panic_threshold = 0;   ///< percent of the endpoints; with fewer healthy ones health does not count
    base::Millis slow_start{0};    ///< an endpoint that comes or comes back gets its full share after this
    bool prefer_own_zone = false;  ///< not with kRingHash
    bool panics = false;           ///< it did so before, with other members
  };
  struct Member {
    std::string name;  ///< for the ring
    uint32_t weight = 1;
    bool own_zone = false;
    bool samePoints(const Member& other) const { return name == other.name && weight == other.weight; }
  };
  /// Called when panic begins or ends; `healthy` of `all` endpoints are healthy.
  using Panic = std::function<void(bool begins, size_t healthy, size_t all)>;
  /// `states` outlives it, and has one state for each member. `before` (may be null): the one that it replaces.
  /// REQUIRES: no weight is 0.
  Balancer(const Options& options, std::vector<Member> members, EndpointStates& states, Panic panic = nullptr,
           const Balancer* before = nullptr);

  /// The endpoint for a new request. `key`: of kRingHash (ringKey()); nothing: chosen as by kLeastRequest. REQUIRES:
  /// there is one.
  size_t next(int64_t now_millis, std::optional<uint64_t> key);
  /// The one to try after `endpoint`, for the same request: the next that is usable, else the next.
  size_t after(size_t endpoint, int64_t now_millis);
  /// Another than `endpoint` if one is usable; else the same.
  size_t other(size_t endpoint, int64_t now_millis);
  bool panics() const { return panics_; }
  /// Whether this endpoint may get requests now. Sets `any`: whether one may; if none may, all do.
  bool takes(size_t endpoint, int64_t now_millis, bool& any);

 private:
  /// Those that may be taken now, of the own zone and of others.
  struct Group {
    std::vector<size_t> members;
    std::vector<uint64_t> sums;  // of the weights up to and with each
  };
  void look(int64_t now_millis);
  void lookAgain(int64_t now_millis);
  bool judgeHealth(int64_t now_millis);
  uint64_t weightNow(size_t endpoint, int64_t now_millis);
  const Group& group();
  size_t leastRequest();
  size_t roundRobin();
  size_t byWeight();
  size_t inStep();
  static size_t memberAt(const Group& from, uint64_t place);
  uint64_t draw(uint64_t below) { return std::uniform_int_distribution<uint64_t>(0, below - 1)(random_); }

  const Options options_;
  const std::vector<Member> members_;
  EndpointStates& states_;
  const Panic panic_;
  int64_t looked_at_ = -1;
  uint64_t seen_changes_ = 0;
  bool panics_ = false;
  std::vector<bool> eligible_;
  std::vector<uint64_t> weights_;            // thousandths, as of now
  std::array<Group, 2> groups_;              // the own zone; others
  uint64_t own_share_ = 0;                   // percent of the requests that stay in the own zone
  std::vector<int64_t> credit_;              // of kRoundRobin
  int64_t price_ = 0;                        // likewise: what the last turn cost
  uint64_t phase_ = std::random_device{}();  // of inStep()
  std::shared_ptr<const Ring> ring_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace yett::upstream
