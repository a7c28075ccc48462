// The upstream half of an exchange: constructed from a Permit, which it keeps over every attempt. It knows the exchange
// only by its events.
#pragma once

#include <string>
#include <string_view>

#include "authz/permit.h"
#include "http/stream.h"
#include "proxy/annotations.h"
#include "proxy/call.h"
#include "proxy/cause.h"
#include "proxy/worker.h"
#include "upstream/pool.h"

namespace yett::proxy {

/// What forwarding tells the downstream half. On the loop's thread, maybe from within a call to the forwarding.
class ForwardingEvents {
 public:
  virtual ~ForwardingEvents() = default;
  /// Waits for a connection, for the first attempt or another: no body may come before onSent().
  virtual void onSeeking() = 0;
  /// There is a connection, maybe after a wait. False: the request may not go any more, and release() was called.
  virtual bool onConnection(const std::string& endpoint) = 0;
  /// The request's head is under way, and what of its body was here.
  virtual void onSent() = 0;
  virtual void onInterim(const http::ResponseHead& head) = 0;
  /// The final head of the answer. Of a WebSocket that the service agrees to: the switch of protocols.
  virtual void onAnswer(http::ResponseHead& head) = 0;
  virtual void onAnswerBody(std::string_view data) = 0;
  virtual void onAnswerEnd(const http::HeaderMap& trailers) = 0;
  /// The service has said all it had, and takes no more of a tunnel.
  virtual void onEnough() = 0;
  /// What was sent has drained.
  virtual void onServiceWritable() = 0;
  /// No answer will come, or no more of it; forwarding holds nothing any more.
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
  /// Memory that the next request uses again.
  struct Kept {
    http::ResponseHead response;
    Annotations annotations;
    std::string websocket_key;  // Yett's own, for the service
    void clear();
  };

  Forwarding(authz::Permit&& permit, Call& call, Worker& worker, Kept& kept, ForwardingEvents& events);
  ~Forwarding() override;

  authz::Permit& permit() { return permit_; }
  const authz::Permit& permit() const { return permit_; }
  /// Asks for a connection. Once, when the annotations are made. Events may come before it returns.
  void start();
  bool waiting() const { return pool_ != nullptr; }
  bool connected() const { return static_cast<bool>(lease_); }
  /// A piece of the request's body, or of what a client says in a tunnel. REQUIRES: connected().
  void sendBody(std::string_view data);
  /// The request, or the client's half of a tunnel, is complete. REQUIRES: connected().
  void sendEnd();
  /// False while the service takes no more of the request. REQUIRES: connected().
  bool writable() const { return lease_.stream().writable(); }
  /// How much of the answer is read next: what the client can take (`appetite` bytes), or nothing until resumeAnswer().
  /// Without a connection these do nothing.
  void limitAnswer(size_t appetite);
  void pauseAnswer();
  void resumeAnswer(size_t appetite);
  /// The endpoint did not answer: it is asked whether it is there. `leave`: no other exchange begins on its connection.
  void suspect(bool leave);
  /// Gives all back, and hears nothing more.
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
  void onNoUpstream(const std::string& why) override;

 private:
  void acquire(bool fresh);
  bool mayRetry(http::ResetCause cause) const;
  bool agrees();
  const http::HeaderMap& trailers();
  authz::Permit permit_;
  Call& call_;
  Worker& worker_;
  Kept& kept_;
  ForwardingEvents& events_;
  upstream::Pool* pool_ = nullptr;  // that it waits at
  upstream::Lease lease_;
  bool body_sent_ = false;  // some of it: no second try
  bool retried_ = false;
  bool answered_ = false;      // a final head has come
  bool answer_ended_ = false;  // the service's half of a tunnel
};

}  // namespace yett::proxy
