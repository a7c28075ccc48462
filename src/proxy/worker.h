// All that one loop needs to serve: handed to its sessions and exchanges by reference. Belongs to the loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "authz/authorizer.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "proxy/body_shares.h"
#include "proxy/listener_config.h"
#include "proxy/route_table.h"
#include "upstream/pool.h"

namespace yett::proxy {

class Exchange;
class Session;

/// A listener as one generation has it. Immutable; an exchange pins the one it began with.
struct ListenerState {
  ListenerConfig config;
  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<const net::TlsContext> tls;  ///< null: plaintext
};

/// A listener's place on one loop: its state is replaced by reload, its sessions stay.
struct ListenerSlot {
  std::shared_ptr<const ListenerState> state;
  bool removed = false;  ///< no generation has it any more
  base::Counter* connections = nullptr;
  base::Counter* handshakes_done = nullptr;
  base::Counter* handshakes_failed = nullptr;
};

/// Bytes that one worker may hold.
struct MemoryBudget {
  size_t bodies = 256 << 20;     ///< of requests that wait for a decision
  size_t responses = 256 << 20;  ///< for peers who do not take them: beyond it the slowest are cut off
};

/// Told of what has no exchange to record it: failed handshakes, requests that are no HTTP. On the loop's thread.
/// `about` and `caller` (a SPIFFE ID, or "") are personal.
using EventSink = std::function<void(std::string_view what, std::string_view listener, std::string_view about,
                                     std::string_view caller)>;

class Worker {
 public:
  /// `descriptors`: entered for each connection to a service.
  Worker(net::EventLoop& loop, net::Gate& gate, net::Gate& descriptors, const MemoryBudget& budget,
         audit::Writer& writer, base::Metrics& metrics, base::LineSink* access_log, EventSink events);
  ~Worker();
  Worker(const Worker&) = delete;

  /// Begins to serve a connection accepted for this listener.
  void accept(const std::shared_ptr<ListenerSlot>& slot, Poco::Net::StreamSocket socket);
  /// No new requests on any connection; idle ones close. `done` is called once none is left.
  void drain(std::function<void()> done);
  /// The policy has changed: exchanges under way are decided again, some at each turn of the loop.
  void recheckOpen();
  /// A new generation is in force: looks at each connection again, some at each turn of the loop. Those whose listener
  /// is gone or treats callers otherwise now take no new requests; those whose caller is trusted no more end.
  void reviewSessions(std::shared_ptr<const identity::TrustBundles> now);
  /// The trust bundles in force.
  const std::shared_ptr<const identity::TrustBundles>& bundles() const { return bundles_; }
  /// As recheckOpen(), once however often it is asked for in this turn.
  void recheckSoon();
  /// Closes all that is left.
  void closeAll();

  /// The exchange goes on by onRecord() once the record is on disk.
  void awaitRecord(Exchange& exchange, const authz::Pending& pending);
  /// All records up to this ticket are on disk.
  void onDurable(uint64_t ticket);
  /// Records cannot be written: who waits for one is answered now.
  void onAuditFailed();
  Exchange& takeExchange(Session& session, http::ServerStream& stream);
  void releaseExchange(Exchange& exchange);
  void remove(Session& session);
  /// The first bytes of its handshake have come.
  void beginHandshake(Session& session);
  /// Its handshake is done.
  void settle(Session& session);
  void countRequest(const std::string& listener, std::string_view route, int status);
  bool draining() const { return draining_; }
  /// Tells one use of an exchange from every other, also of one that stands where another was destroyed.
  uint64_t next_serial = 1;

  net::EventLoop& loop;
  net::Gate& gate;
  const MemoryBudget budget;
  /// Of bodies that wait for a decision.
  BodyShares bodies;
  base::Metrics& metrics;
  base::LineSink* const access_log;  ///< null: off
  const EventSink events;
  authz::Authorizer authorizer;
  upstream::Pools pools;
  base::Histogram& request_duration;

 private:
  std::map<Session*, std::unique_ptr<Session>> sessions_;
  std::list<Session*> handshakes_;               // under way, the oldest first
  std::vector<std::unique_ptr<Exchange>> busy_;  // each knows its place
  std::vector<std::unique_ptr<Exchange>> spare_;
  std::map<std::string, base::Counter*, std::less<>> request_counters_;
  std::string counter_key_;  // of countRequest()
  std::function<void()> drained_;
  bool draining_ = false;
  /// Who waits for a record; in the order of tickets, since one thread's grow.
  struct Awaiting {
    Exchange* exchange;
    uint64_t serial;
    authz::Pending pending;
  };
  void goOn(const Awaiting& waiting);
  std::deque<Awaiting> awaiting_;
  void shed();
  void shedExchanges(int64_t& too_much);
  void shedSessions(int64_t& too_much);
  net::Timer shed_timer_{[this] { shed(); }};
  base::Counter& shed_;
  base::Counter& held_;  // of all workers
  int64_t told_held_ = 0;
  void beat();
  net::Timer heartbeat_timer_{[this] { beat(); }};
  void recheckSome();
  void reviewSome();
  std::shared_ptr<const identity::TrustBundles> bundles_;
  std::vector<Session*> reviews_;  // to come; some may be gone
  net::Timer review_timer_{[this] { reviewSome(); }};
  net::Timer recheck_all_timer_{[this] { recheckOpen(); }};
  std::vector<std::pair<Exchange*, uint64_t>> rechecks_;  // and their serials
  net::Timer recheck_timer_{[this] { recheckSome(); }};
};

}  // namespace yett::proxy
