// The upstream half of an exchange: constructed from a Permit, which it keeps over every attempt. It knows the exchange
// only as ForwardingEvents.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "authz/permit.h"
#include "http/stream.h"
#include "net/event_loop.h"
#include "proxy/annotations.h"
#include "proxy/call.h"
#include "proxy/cause.h"
#include "proxy/worker.h"
#include "upstream/endpoint.h"
#include "upstream/pool.h"
#include "upstream/retry_budget.h"

namespace yett::proxy {

/// Events for the downstream half. On the loop's thread, maybe during a call to Forwarding.
class ForwardingEvents {
 public:
  virtual ~ForwardingEvents() = default;
  /// Waits for a connection, for the first attempt or a retry: no body may be sent before onSent().
  virtual void onSeeking() = 0;
  /// A connection is available, maybe after a wait. False: the request is no longer allowed, and release() was called.
  virtual bool onConnection(const std::string& endpoint) = 0;
  /// The request's head was sent, and the part of its body that had arrived.
  virtual void onSent() = 0;
  virtual void onInterim(const http::ResponseHead& head) = 0;
  /// The final head of the response. For a WebSocket that the service accepts: the protocol switch.
  virtual void onAnswer(http::ResponseHead& head) = 0;
  virtual void onAnswerBody(std::string_view data) = 0;
  virtual void onAnswerEnd(const http::HeaderMap& trailers) = 0;
  /// The service has sent everything, and takes no more data of a tunnel.
  virtual void onEnough() = 0;
  /// The sent data has drained.
  virtual void onServiceWritable() = 0;
  /// No response will come, or no more of it; Forwarding has released everything.
  virtual void onFailure(Cause cause, std::string_view detail) = 0;
};

/// Belongs to its exchange; the loop's thread only.
///
///   state        what it holds                 goes to
///   new          -                             waiting (start)
///   waiting      its place in a pool           connected, failed (told), released
///   connected    a lease; the request is sent  waiting (a retry), over (the answer's end), failed (told), released
///   over         nothing                       -
class Forwarding final : public http::ResponseHandler, public upstream::PoolUser {
 public:
  /// Memory that is reused for the next request.
  struct Kept {
    http::ResponseHead response;
    Annotations annotations;
    std::string websocket_key;  // Yett's own, for the service
    std::string own_token;      // likewise: the value of its header
    std::string own_token_header;
    std::string attempt;  // likewise
    void clear();
  };

  Forwarding(authz::Permit&& permit, Call& call, Worker& worker, Kept& kept, ForwardingEvents& events);
  ~Forwarding() override;

  authz::Permit& permit() { return permit_; }
  const authz::Permit& permit() const { return permit_; }
  /// Requests a connection. Call once, after the annotations are made. Events may come before it returns.
  void start();
  bool waiting() const { return pool_ != nullptr || again_.waiting(); }
  /// Which attempt is under way, from 1.
  int attempt() const { return attempt_; }
  bool connected() const { return static_cast<bool>(lease_); }
  /// Sends a piece of the request's body, or of the client's tunnel data. REQUIRES: connected().
  void sendBody(std::string_view data);
  /// The request, or the client's half of a tunnel, is complete. REQUIRES: connected().
  void sendEnd();
  /// False while the service takes no more of the request. REQUIRES: connected().
  bool writable() const { return lease_.stream().writable(); }
  /// Set how much of the response is read next: what the client can take (`appetite` bytes), or nothing until
  /// resumeAnswer(). Without a connection these do nothing.
  void limitAnswer(size_t appetite);
  void pauseAnswer();
  void resumeAnswer(size_t appetite);
  /// The endpoint did not answer: probes whether it is alive. `leave`: no new exchange starts on its connection.
  void suspect(bool leave);
  /// Releases everything; no more events follow.
  void release();
  /// Bytes that wait in memory for this exchange.
  size_t heldBytes() const { return lease_.heldBytes(); }
  const http::ResponseHead& response() const { return kept_.response; }

  // From the service.
  http::ResponseHead& responseHead() override { return kept_.response; }
  void onResponse() override;
  void onBody(std::string_view data) override { events_.onAnswerBody(data); }
  void onEnd() override;
  void onReset(http::ResetCause cause, std::string_view detail) override;
  void onWritable() override { events_.onServiceWritable(); }
  void onLease(upstream::Lease lease) override;
  void onNoUpstream(const std::string& why, Lack lack) override;

 private:
  void acquire(bool fresh);
  std::optional<uint64_t> keyOf(const upstream::HashKey& hash) const;
  void chooseCluster();
  bool addOwnToken(const upstream::ClusterConfig& config);
  bool mayRepeat(http::ResetCause cause) const;
  bool mayRetry(bool sent);
  bool isUnavailable(const http::HeaderMap& fields) const;
  void recordAttempt(int number, const std::string& why);
  void again();
  void retry(const std::string& why);
  void tellAttempt();
  void limitTry();
  void onTryTimeout();
  bool agrees();
  const http::HeaderMap& trailers();
  authz::Permit permit_;
  Call& call_;
  Worker& worker_;
  Kept& kept_;
  ForwardingEvents& events_;
  upstream::Pool* pool_ = nullptr;  // the pool that it waits for
  upstream::Lease lease_;
  net::Timer again_{[this] { again(); }};
  net::Timer try_timer_{[this] { onTryTimeout(); }};
  std::shared_ptr<upstream::RetryBudget> budget_;  // of the cluster
  uint64_t ticket_ = 0;       // of the record that must be on disk before the next attempt; 0: none
  int64_t record_until_ = 0;  // the loop's clock: then it is too late for it
  bool fresh_next_ = false;   // the next attempt needs a new connection
  std::shared_ptr<const upstream::Endpoint> avoid_;  // it has just failed
  int attempt_ = 1;
  int64_t asked_nanos_ = 0;  // when the whole request had been sent; 0: it has not
  bool body_sent_ = false;   // at least part of it
  bool streamed_ = false;    // a part that came after the decision: it is not kept
  bool repeated_ = false;
  bool answered_ = false;      // a final head has come
  bool answer_ended_ = false;  // the service's half of a tunnel
};

}  // namespace yett::proxy
