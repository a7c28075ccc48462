// One request and its response: a downstream stream on one side, an upstream one on the other, the pipeline between.
// Used again for other requests by its worker; belongs to the loop's thread.
#pragma once

#include <string>
#include <vector>

#include "authz/authorizer.h"
#include "http/stream.h"
#include "net/event_loop.h"
#include "policy/check_request.h"
#include "proxy/worker.h"
#include "upstream/pool.h"

namespace yett::proxy {

/// As policy and logs name it.
std::string_view protocolName(http::Version version);

/// The cause of an answer that came too late for the caller's own deadline.
inline constexpr std::string_view kDeadline = "deadline exceeded";

class Exchange final : public http::RequestHandler {
 public:
  explicit Exchange(Worker& worker);
  ~Exchange() override;
  void begin(Session& session, http::ServerStream& stream);
  /// Forgets all that belongs to the last request, and lets go of what it pinned.
  void clear();

  // From the client.
  http::RequestHead& requestHead() override { return request_; }
  void onRequest() override;
  void onBadRequest(int status, std::string_view why) override;
  void onBody(std::string_view data) override;
  void onEnd() override;
  void onReset(http::ResetCause cause, std::string_view detail) override;
  void onWritable() override;

  /// The stream to the client is over, however the exchange stands.
  void orphan();

  /// Forwarded, and not ended: a newer policy has a say in it.
  bool underWay() const {
    return !finished_ && decision_.open() && (lease_ || waiting_pool_ != nullptr || awaiting_record_);
  }
  /// Its client takes nothing of an answer that has begun.
  bool waitsForClient() const { return !finished_ && response_begun_ && down_ != nullptr && !down_->writable(); }
  int64_t lastProgress() const { return last_progress_; }
  /// Bytes that are kept for it alone, on both sides; those of an HTTP/1.1 connection to the client are the session's.
  size_t heldBytes() const { return (down_ != nullptr ? down_->heldBytes() : 0) + lease_.heldBytes(); }
  size_t heldAtService() const { return lease_.heldBytes(); }
  void cutForMemory();
  /// Records how far it has come, where it has gone on for so long.
  void beat(int64_t now_nanos, base::Millis interval);
  /// Its record is on disk, or will not be: goes on if it still waits for that.
  void onRecord(const authz::Pending& pending);
  /// Tells one use of an exchange from every other of its worker; 0 between two.
  uint64_t serial() const { return serial_; }
  /// Its worker's: where it keeps it, and whether it is to be cleared at the end of this batch.
  size_t place = 0;
  bool released = false;

  Worker& worker() { return worker_; }
  Session& session() { return *session_; }
  const ListenerState& listener() const { return *listener_; }
  const http::RequestHead& request() const { return request_; }
  const base::UuidText& id() const { return id_; }

 private:
  friend class Pipeline;
  friend void forward(Exchange& exchange, authz::Permit&& permit);

  /// The other side of the exchange.
  class Upstream final : public http::ResponseHandler, public upstream::PoolUser {
   public:
    explicit Upstream(Exchange& exchange) : exchange_(exchange) {}
    http::ResponseHead& responseHead() override { return exchange_.response_; }
    void onResponse() override { exchange_.onUpstreamResponse(); }
    void onBody(std::string_view data) override { exchange_.onUpstreamBody(data); }
    void onEnd() override { exchange_.onUpstreamEnd(); }
    void onReset(http::ResetCause cause, std::string_view detail) override { exchange_.onUpstreamReset(cause, detail); }
    void onWritable() override { exchange_.onUpstreamWritable(); }
    void onLease(upstream::Lease lease) override { exchange_.onLease(std::move(lease)); }
    void onNoUpstream(const std::string& why) override { exchange_.fail(503, "no upstream", why); }

   private:
    Exchange& exchange_;
  };

  /// Holds the request back until its record is on disk.
  void awaitRecord(const authz::Pending& pending);
  /// Refuses what cannot be forwarded as it is, though policy allowed it; true where it did.
  bool refuseUnfit();
  /// The request is a handshake that the route lets through.
  bool opensWebSocket() const;
  void openTunnel();
  void endTunnelHalf(bool by_client);
  void endTunnel();
  /// The route lets policy see the body, and not all of it is here.
  bool awaitsBody() const;
  void waitForBody();
  /// Takes room for more of the body that waits; false: its caller has had its share.
  bool holdBody(size_t bytes);
  void releaseBody();
  const std::string& bodyOwner() const;
  base::Millis bodyTimeLeft() const;
  void acquire(bool fresh);
  void onLease(upstream::Lease lease);
  void onUpstreamResponse();
  void onUpstreamBody(std::string_view data);
  void pauseWhereFull();
  void onUpstreamEnd();
  void onUpstreamReset(http::ResetCause cause, std::string_view detail);
  void onUpstreamWritable();
  void onTimer();
  const http::HeaderMap& requestTrailers();
  bool mayRetry(http::ResetCause cause) const;
  /// How long nothing may happen, as things stand.
  base::Millis patience() const;
  void progress();
  /// Until the exchange must be over, by its lifetime or its gRPC deadline.
  base::Millis timeLeft() const;
  /// Sets the timer, at the latest for the end of the exchange's lifetime.
  void arm(base::Millis limit);

  /// Answers by itself with a problem document (RFC 9457).
  void reply(int status, std::string_view cause, std::string_view public_detail);
  void replyGrpc(int status, std::string_view message);
  /// Cuts a response that has begun, so that nobody takes it for whole; a gRPC one says why in its trailers.
  void cut(int status, std::string_view why);
  void logStatus();
  /// The upstream failed: answers with `status` where nothing was sent yet, else cuts the response.
  void fail(int status, std::string_view cause, std::string_view detail);
  void endByPolicy(const authz::Refusal& refusal, std::string_view cause);
  void releaseUpstream();
  void endWithShadow();
  void finish(std::string_view result);
  void logAccess(std::string_view result, int64_t duration_micros);

  Worker& worker_;
  Session* session_ = nullptr;
  http::ServerStream* down_ = nullptr;
  std::shared_ptr<const ListenerState> listener_;
  const Route* route_ = nullptr;       // of listener_
  const Route* body_route_ = nullptr;  // whose `buffer_body` counts
  Upstream upstream_{*this};
  upstream::Lease lease_;
  upstream::Pool* waiting_pool_ = nullptr;
  net::Timer timer_;

  http::RequestHead request_;
  http::ResponseHead response_;
  http::HeaderMap added_;                // for the upstream; values below
  std::vector<policy::Header> headers_;  // what the policy sees
  std::string forwarded_for_;
  std::string forwarded_cert_;
  std::string trace_parent_;
  std::vector<std::pair<std::string, std::string>> obliged_;  // headers that policy sets
  std::vector<std::string> removed_;                          // names that policy removes, of trailers too
  std::string body_;                                          // buffered for policy
  policy::Body seen_body_;
  /// What the policy in the shadow is asked once the answer is out.
  struct Shadow {
    bool asked = false;
    bool allowed = false;
    policy::CheckRequest check;
    std::shared_ptr<const identity::Principal> principal;
    std::vector<policy::Header> headers;
    std::string sni;
    std::string body;
    policy::Body seen_body;
    std::string result;  ///< of the exchange
    int64_t micros = 0;
  };
  Shadow shadow_;
  size_t held_body_ = 0;  // of it, as the worker's shares count
  bool buffering_ = false;
  int64_t buffering_since_ = 0;  // the loop's clock
  uint64_t serial_ = 0;

  base::UuidText id_{};
  base::UuidText told_id_{};  // what the caller is told, where a newer decision ended the exchange
  const base::UuidText& toldId() const { return told_id_[0] != '\0' ? told_id_ : id_; }
  authz::OpenDecision decision_;
  std::string effect_, policy_, rule_;  // for the access log
  std::string cause_;                   // why Yett answered by itself
  std::string detail_;
  std::string upstream_name_;
  std::string websocket_key_;     // Yett's own, for the upstream
  std::string websocket_accept_;  // for the client
  std::string grpc_status_;       // of the answer
  int status_ = 0;                // sent downstream
  int64_t deadline_nanos_ = 0;    // of grpc-timeout; 0: none
  int64_t began_wall_ = 0;
  int64_t decided_nanos_ = 0;  // when it was last decided; steady
  int64_t began_nanos_ = 0;
  int64_t bytes_in_ = 0;
  int64_t bytes_out_ = 0;
  int64_t last_progress_ = 0;
  bool request_ended_ = false;
  bool body_sent_ = false;  // some of the body went upstream: no second try
  bool retried_ = false;
  bool response_begun_ = false;
  bool finished_ = true;
  bool awaiting_record_ = false;
  bool waited_ = false;  // between its head and its decision
  bool grpc_ = false;
  bool tunnel_ = false;
  bool client_ended_ = false;    // its half of the tunnel
  bool upstream_ended_ = false;  // and the other
};

}  // namespace yett::proxy
