// The endpoints of a cluster: where they are, and what all loops share about them.
#pragma once

#include <Poco/Net/SocketAddress.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"

namespace yett::upstream {

/// What all loops know of an endpoint. Any thread.
struct EndpointHealth {
  std::atomic<bool> healthy{true};            ///< as far as active health checks know
  std::atomic<bool> prefers_fallback{false};  ///< its fallback address was the first to connect last time
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> requests{0};        ///< in flight
  std::atomic<int64_t> failures{0};        ///< of exchanges and connections, ever
  std::atomic<int64_t> latency_micros{0};  ///< of the heads of answers, a moving average; 0: none yet
  // Outlier detection; times in steady milliseconds. Written under EndpointStates' rules only.
  std::atomic<uint32_t> failed{0};     ///< exchanges in a row that failed
  std::atomic<uint32_t> broken{0};     ///< answers in a row that broke off
  std::atomic<uint32_t> ejections{0};  ///< that make the next one longer
  std::atomic<int64_t> ejected_until{0};
  std::atomic<int64_t> forgive_at{0};       ///< when one ejection is forgotten, if it works till then
  std::atomic<bool> on_trial{false};        ///< it was ejected, and has not proved itself since
  std::atomic<bool> for_broken{false};      ///< it was ejected for answers that broke off: a whole one proves it
  std::atomic<bool> trial_answered{false};  ///< likewise: the answer to the trial has begun well
  std::atomic<int64_t> trial_until{0};      ///< a request tries it out

  /// The head of an answer took this long. Loops that get here at the same moment may lose one: it is an average.
  void answered(int64_t micros) {
    constexpr int64_t kShare = 16;  // how many answers it follows
    const int64_t before = latency_micros.load(std::memory_order_relaxed);
    const int64_t now = before == 0 ? micros : before + (micros - before) / kShare;
    latency_micros.store(std::max<int64_t>(now, 1), std::memory_order_relaxed);
  }
};

struct Endpoint {
  std::string name;  ///< for people: as configured; of a DNS name with its address
  Poco::Net::SocketAddress address;
  std::optional<Poco::Net::SocketAddress> fallback = {};  ///< of the same service, in the other address family
  std::string host = {};                                  ///< its DNS name, "" if it has none
  uint32_t weight = 1;
  std::string zone = {};
  std::shared_ptr<EndpointHealth> health;  ///< never null
};
using Endpoints = std::vector<std::shared_ptr<const Endpoint>>;

/// Where endpoints come from: an address, a DNS name with all its addresses, or the targets of SRV records.
struct EndpointConfig {
  std::string address;  ///< "host:port", "dns:host:port", "srv:name", "unix:///path"
  uint32_t weight = 1;  ///< of each address
  std::string zone = {};
  bool operator==(const EndpointConfig&) const = default;
};

/// An EndpointConfig, taken apart.
struct EndpointTarget {
  enum class Kind : uint8_t { kAddress, kName, kService };
  Kind kind = Kind::kAddress;
  std::string name;  ///< the DNS name
  uint16_t port = 0;
};
/// Does not ask DNS. Errors: an address that is none.
Result<EndpointTarget> parseTarget(const std::string& address);

/// One answer of the resolver for a target.
struct ResolvedAddress {
  Poco::Net::SocketAddress address;
  std::optional<Poco::Net::SocketAddress> fallback = {};
  std::string host;     ///< the name that has the address
  uint32_t weight = 1;  ///< of the SRV record
  bool operator==(const ResolvedAddress&) const = default;
};

/// The endpoints now. Any thread; who uses them asks version() and takes them anew when it has changed.
class EndpointSet {
 public:
  /// `before` (may be null): endpoints that it has too stay the same objects; names keep their addresses until they
  /// are resolved again.
  static Result<std::shared_ptr<EndpointSet>> create(const std::vector<EndpointConfig>& configs,
                                                     const EndpointSet* before);

  struct Target : EndpointTarget {
    EndpointConfig config;
  };
  const std::vector<Target>& targets() const { return targets_; }
  /// The addresses of a target, from the resolver; it is not kAddress. False: nothing has changed.
  bool resolved(size_t target, std::vector<ResolvedAddress> addresses);
  /// The target cannot be resolved: its addresses stay; "": it can.
  void failed(size_t target, const std::string& why);

  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::shared_ptr<const Endpoints> now() const;
  /// Why a target has no address; "" if all have one, or none has been resolved yet.
  std::string problem() const;
  /// A target has neither an address nor a failure yet.
  bool waits() const;

 private:
  struct State {
    std::vector<ResolvedAddress> addresses;
    std::string problem;
    bool settled = false;  // resolved or failed
  };
  void rebuild() YETT_REQUIRES(mutex_);

  std::vector<Target> targets_;
  std::atomic<uint64_t> version_{1};
  mutable base::Mutex mutex_;
  std::vector<State> states_ YETT_GUARDED_BY(mutex_);
  std::shared_ptr<const Endpoints> now_ YETT_GUARDED_BY(mutex_);
};

}  // namespace yett::upstream
