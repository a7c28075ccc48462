// Everything that one loop needs to serve HTTP, passed to its sessions and exchanges by reference. Belongs to the
// loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "authz/authorizer.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/stream.h"
#include "identity/trust_bundle.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "proxy/body_shares.h"
#include "proxy/counts.h"
#include "proxy/listener.h"
#include "proxy/tokens.h"
#include "serve/registry.h"
#include "serve/shedding.h"
#include "serve/subjects.h"
#include "serve/upstreams.h"

namespace yett::proxy {

class Exchange;
class Session;

/// Bytes that one worker may hold.
struct MemoryBudget {
  size_t bodies = 256 << 20;     ///< of requests that wait for a decision
  size_t responses = 256 << 20;  ///< that peers do not read; above it, the slowest are cut off
};

/// Receives events without an exchange: failed handshakes, requests that are not HTTP. On the loop's thread. `about`
/// and `caller` (a SPIFFE ID, or "") are personal data.
using EventSink = std::function<void(std::string_view what, std::string_view listener, std::string_view about,
                                     std::string_view caller)>;

class Worker {
 public:
  /// What is shared with other loops; outlives the worker.
  struct Shared {
    net::Gate& gate;         ///< of callers' connections
    net::Gate& descriptors;  ///< entered for each connection to a service
    base::Metrics& metrics;
    base::LineSink* access_log = nullptr;                          ///< null: off
    std::function<void(const std::string&)> key_wanted = nullptr;  ///< as in TokenMemory; any thread
    /// The JWT-SVID of Yett's own for an audience, null if there is none now; any thread.
    std::function<std::shared_ptr<const std::string>(const std::string& audience)> own_token = nullptr;
    /// What happens to endpoints; on the loop's thread.
    serve::Upstreams::Told endpoint_told = nullptr;
    size_t most_handshakes = 64;  ///< unfinished at once, on this loop
  };
  /// `authorizer`: the loop's; outlives the worker too.
  Worker(net::EventLoop& loop, authz::Authorizer& authorizer, const Shared& shared, const MemoryBudget& budget,
         EventSink events);
  ~Worker();
  Worker(const Worker&) = delete;

  /// Begins to serve a connection accepted for this listener.
  void accept(const std::shared_ptr<ListenerSlot>& slot, Poco::Net::StreamSocket socket);
  /// A new generation is in force: reviews all connections, a few per loop iteration. Those whose listener is gone or
  /// now treats callers differently take no new requests; those whose caller is no longer trusted close.
  void reviewSessions(std::shared_ptr<const identity::TrustBundles> now,
                      std::shared_ptr<const identity::JwtProviders> providers);
  /// The authorizer has a new policy: decides everything in flight again, now and whenever the `hours` of a rule begin
  /// or end.
  void onPolicy();
  /// The trust bundles in force.
  const std::shared_ptr<const identity::TrustBundles>& bundles() const { return bundles_; }
  /// The providers of tokens in force; null before the first generation.
  const std::shared_ptr<const identity::JwtProviders>& providers() const { return providers_; }
  /// `policy` grows with each policy, `other` with each generation and each step of the clock. A decision of an older
  /// epoch may no longer hold.
  struct Epoch {
    uint64_t policy = 1;
    uint64_t other = 1;
    bool operator==(const Epoch&) const = default;
  };
  const Epoch& epoch() const { return epoch_; }
  /// All records up to this ticket are on disk.
  void onDurable(uint64_t ticket);

  /// Returns an exchange for a new request. REQUIRES: the session outlives it, or calls releaseExchange().
  Exchange& takeExchange(Session& session, http::ServerStream& stream);
  /// Its stream is over. Clears it at the end of the batch; a second call does nothing.
  void releaseExchange(Exchange& exchange);

  net::EventLoop& loop;
  TokenMemory tokens;
  const std::function<std::shared_ptr<const std::string>(const std::string& audience)> own_token;
  net::Gate& gate;
  base::Metrics& metrics;
  base::LineSink* const access_log;  ///< null: off
  const EventSink events;
  authz::Authorizer& authorizer;
  serve::Upstreams upstreams;
  serve::Registry registry;
  serve::Subjects subjects;
  /// Of bodies that wait for a decision.
  BodyShares bodies;
  Counts counts;
  base::Histogram& request_duration;

 private:
  void clear(Exchange& exchange);
  void beat();
  void watchClock();
  void freeSpare();
  serve::Shedding shedding_;
  std::vector<std::unique_ptr<Exchange>> busy_;  // each knows its place
  std::vector<std::unique_ptr<Exchange>> spare_;
  size_t busiest_ = 0;  // the most that were busy at once, since freeSpare() last looked
  std::shared_ptr<const identity::TrustBundles> bundles_;
  std::shared_ptr<const identity::JwtProviders> providers_;
  Epoch epoch_;
  net::Timer heartbeat_timer_{[this] { beat(); }};
  net::Timer spare_timer_{[this] { freeSpare(); }};
  net::Timer clock_timer_{[this] { watchClock(); }};
  uint64_t clock_state_ = 0;
};

}  // namespace yett::proxy
