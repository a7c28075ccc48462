// One request and its response, as the client sees them: the downstream half. It acts on what the pipeline decides and
// on what the upstream half (Forwarding) tells.
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

/// Used again for other requests by its worker; belongs to the loop's thread.
///
///   phase       what goes on                                          goes to
///   kIdle       between two requests                                  kHead (begin)
///   kHead       the head is parsed                                    kBody, kRecord, kForwarded, kOver (answered)
///   kBody       the body comes, for policy to see                     kRecord, kForwarded, kOver
///   kRecord     allowed; the decision's record is not on disk yet     kForwarded, kOver
///   kForwarded  the upstream half is at work                          kOver
///   kOver       its outcome is told; the stream may still drain       kIdle (clear)
class Exchange final : public http::RequestHandler, public serve::Subject, private ForwardingEvents {
 public:
  explicit Exchange(Worker& worker);
  ~Exchange() override;
  void begin(Session& session, http::ServerStream& stream);
  /// The stream to the client is over, however the exchange stands.
  void orphan();
  /// What is left to record once the answer is out; it may evaluate the policy in the shadow.
  void settle();
  /// Forgets all that belongs to the last request, and lets go of what it pinned.
  void clear();

  // From the client.
  http::RequestHead& requestHead() override { return call_.request; }
  void onRequest() override;
  void onBadRequest(int status, std::string_view why) override;
  void onBody(std::string_view data) override;
  void onEnd() override;
  void onReset(http::ResetCause cause, std::string_view detail) override;
  void onWritable() override;

  // Its loop's.
  bool underWay() const override;
  void decideAgain() override;
  void onRecord() override;
  void beat(int64_t now_nanos, base::Millis interval) override;
  bool waitsForClient() const override;
  int64_t lastProgress() const override { return last_progress_; }
  size_t heldBytes() const override;
  size_t heldAtService() const override { return forwarding_ ? forwarding_->heldBytes() : 0; }
  void cutForMemory() override;
  serve::Downstream* downstream() const override;
  /// Its worker's: where it keeps it, and whether it is to be cleared at the end of this batch.
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
  /// How long nothing may happen, as things stand.
  base::Millis patience() const;
  /// Until the exchange must be over, by its lifetime or its gRPC deadline.
  base::Millis timeLeft() const;
  /// Sets the timer, at the latest for the end of the exchange's lifetime.
  void arm(base::Millis limit);
  void progress();
  void onTimer();

  /// Answers by itself. `detail`: for the caller; "": what the cause says. `status` 0 likewise.
  void reply(Cause cause, std::string_view detail = {}, int status = 0);
  /// Cuts a response that has begun, so that nobody takes it for whole; a gRPC one says why in its trailers.
  void cut(Cause cause, std::string_view detail, int status);
  /// It cannot go on: answers where nothing was sent yet, else cuts the response. `detail`: for the operator.
  void fail(Cause cause, std::string_view detail);
  /// Allowed no more.
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
  authz::OpenDecision refused_;            // the decision, where the request is not forwarded
  Account account_;
  net::Timer timer_;
  int64_t last_progress_ = 0;
  bool answered_ = false;         // a final head went to the client
  std::string websocket_accept_;  // for the client
};

}  // namespace yett::proxy
