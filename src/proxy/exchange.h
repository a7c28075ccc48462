// One request and its response, as the client sees them: the downstream half. It acts on the pipeline's decisions and
// on events of the upstream half (Forwarding).
#pragma once

#include <optional>

#include "authz/permit.h"
#include "base/units.h"
#include "http/stream.h"
#include "net/event_loop.h"
#include "proxy/account.h"
#include "proxy/call.h"
#include "proxy/forwarding.h"
#include "proxy/pipeline.h"
#include "proxy/waiting_body.h"
#include "proxy/worker.h"
#include "serve/subject.h"

namespace yett::proxy {

/// Reused by its worker for other requests; belongs to the loop's thread.
///
///   phase       meaning                                               next
///   kIdle       between two requests                                  kHead (begin)
///   kHead       the head is parsed                                    kBody, kRecord, kForwarded, kOver (answered)
///   kBody       the body comes, for policy to see                     kRecord, kForwarded, kOver
///   kRecord     allowed; the decision's record is not on disk yet     kForwarded, kOver
///   kForwarded  the upstream half is at work                          kOver
///   kOver       its outcome is known; the stream may still drain      kIdle (clear)
class Exchange final : public http::RequestHandler, public serve::Subject, private ForwardingEvents {
 public:
  explicit Exchange(Worker& worker);
  ~Exchange() override;
  void begin(Session& session, http::ServerStream& stream);
  /// The stream to the client is over, whatever the state of the exchange.
  void orphan();
  /// Records what is left after the response was sent; may evaluate the shadow policy.
  void settle();
  /// Clears everything of the last request and releases what it pinned.
  void clear();

  // From the client.
  http::RequestHead& requestHead() override { return call_.request; }
  void onRequest() override;
  void onBadRequest(int status, std::string_view why) override;
  void onBody(std::string_view data) override;
  void onEnd() override;
  void onReset(http::ResetCause cause, std::string_view detail) override;
  void onWritable() override;

  // From its loop.
  bool underWay() const override;
  void decideAgain(serve::Again why) override;
  void onRecord() override;
  void beat(int64_t now_nanos, base::Millis interval) override;
  bool waitsForClient() const override;
  int64_t lastProgress() const override { return last_progress_; }
  size_t heldBytes() const override;
  size_t heldAtService() const override { return forwarding_ ? forwarding_->heldBytes() : 0; }
  void cutForMemory() override;
  serve::Downstream* downstream() const override;
  /// For its worker: its index, and whether it will be cleared at the end of this batch.
  size_t place = 0;
  bool released = false;

 private:
  enum class Phase : uint8_t { kIdle, kHead, kBody, kRecord, kForwarded, kOver };

  // From the service.
  void onSeeking() override;
  bool onConnection(const std::string& endpoint) override;
  void onSent() override;
  void onInterim(const http::ResponseHead& head) override { down_->sendInterim(head); }
  void onAnswer(http::ResponseHead& head) override;
  void onAnswerBody(std::string_view data) override;
  void onAnswerEnd(const http::HeaderMap& trailers) override;
  void onEnough() override;
  void onServiceWritable() override;
  void onFailure(Cause cause, std::string_view detail) override { fail(cause, detail); }

  /// Does what the pipeline has decided.
  void act(Next next);
  void waitForBody();
  void takeBody(std::string_view data);
  void awaitRecord(authz::Pending pending);
  void forward(authz::Permit permit);
  void openTunnel(http::ResponseHead& head);
  void endTunnelHalf(bool by_client);
  void pauseWhereFull();

  bool live() const { return phase_ != Phase::kIdle && phase_ != Phase::kOver; }
  authz::OpenDecision& decision();
  /// The request's body is still on its way.
  bool uploading() const { return !call_.request_ended && call_.hasBody(); }
  /// How long the exchange may make no progress in its current state.
  base::Millis patience() const;
  /// Until the exchange must be over, by its lifetime or its gRPC deadline.
  base::Millis timeLeft() const;
  /// Sets the timer, at the latest for the end of the exchange's lifetime.
  void arm(base::Millis limit);
  void progress();
  void onTimer();

  /// Sends Yett's own answer. `detail`: for the caller; "": the default of the cause. `status` 0 likewise.
  void reply(Cause cause, std::string_view detail = {}, int status = 0);
  /// Aborts a response that has begun, so that nobody takes it for complete; over gRPC the trailers say why.
  void cut(Cause cause, std::string_view detail, int status);
  /// It cannot continue: answers if nothing was sent yet, else aborts the response. `detail`: for the operator.
  void fail(Cause cause, std::string_view detail);
  /// The request is no longer allowed.
  void end(const Ended& ended);
  void release();
  void finish(Cause result);

  Worker& worker_;
  http::ServerStream* down_ = nullptr;
  Phase phase_ = Phase::kIdle;
  Call call_;
  WaitingBody body_;
  Forwarding::Kept kept_;
  std::optional<Forwarding> forwarding_;   // from the permit to clear()
  std::optional<authz::Pending> pending_;  // while its record is not on disk
  authz::OpenDecision refused_;            // the decision, if the request is not forwarded
  Account account_;
  net::Timer timer_;
  int64_t last_progress_ = 0;
  bool answered_ = false;         // a final head went to the client
  std::string websocket_accept_;  // for the client
};

}  // namespace yett::proxy
