// One downstream connection: a socket, a codec on top of it, and its exchanges. Owned by its loop's Registry.
#pragma once

#include <memory>

#include "base/units.h"
#include "http/server_codec.h"
#include "http/wire.h"
#include "identity/trust_bundle.h"
#include "net/connection.h"
#include "proxy/worker.h"
#include "serve/downstream.h"

namespace yett::proxy {

class Session final : public serve::Downstream,
                      public net::ConnectionEvents,
                      public http::Wire,
                      public http::ServerEvents {
 public:
  Session(Worker& worker, std::shared_ptr<ListenerSlot> slot, Poco::Net::StreamSocket socket);
  ~Session() override;
  void start();
  void drain() override;
  /// An exchange has sent Yett's own answer; the rest of its request gets one time limit.
  void replied() { watch(); }
  void close(std::string_view why) override { connection_.abort(why); }

  Worker& worker() { return worker_; }
  const std::shared_ptr<const ListenerState>& listener() const { return slot_->state; }
  net::Connection& connection() { return connection_; }
  size_t heldBytes() const override { return connection_.heldBytes() + (codec_ ? codec_->heldBytes() : 0); }
  /// Bytes of its requests' bodies that wait for a decision; BodyShares counts them.
  size_t buffered_bodies = 0;
  bool tls() const { return tls_; }
  /// The address of the connection's peer; "" if it has none.
  const std::string& peerText() const { return peer_text_; }
  /// The caller in the form of x-forwarded-client-cert; "" if it is anonymous.
  const std::string& forwardedCertificate();
  /// Until when (seconds since 1970) the caller's certificate is valid with the bundles in force; 0: they do not accept
  /// it. Ignores its expiry if the listener says so.
  int64_t trustedUntil(int64_t now_seconds);
  void review() override;

  /// Records an event in the audit log: what is wrong with the data of this caller.
  void tell(std::string_view what, std::string_view why);

  // The connection's events.
  void onHandshake(net::HandshakeStage stage) override { worker_.registry.handshakes().reach(*this, stage); }
  void onOpen() override;
  size_t onData(std::string_view bytes) override;
  void onEof() override;
  void onDrained() override;
  void onTimeout() override;
  void onClosed(std::string_view why) override;

  // What the codec needs.
  void write(std::string_view bytes) override { connection_.write(bytes); }
  size_t buffered() const override { return connection_.buffered(); }
  void pauseReading() override { connection_.pauseReading(); }
  void resumeReading() override { connection_.resumeReading(); }
  bool yield() override;
  int64_t turnNanos() const override { return worker_.loop.turnNanos(); }
  void callAtBatchEnd() override;
  int64_t nowMillis() const override { return worker_.loop.nowMillis(); }
  void finishWriting() override { connection_.finishWriting(); }
  void finish() override { connection_.finish(); }
  void abort() override { connection_.abort(); }
  http::RequestHandler& onStream(http::ServerStream& stream) override;
  void onStreamEnd(http::RequestHandler& handler) override;
  void onConnectionError(std::string_view why) override;

 private:
  enum class Version { kUnknown, kHttp1, kHttp2 };
  static Version versionOf(std::string_view bytes);
  void speak(Version version);
  void brake();
  /// Sets the time limit for what the connection waits for now.
  void watch();
  void limitWait(base::Millis limit);
  /// The caller's listener no longer exists, or treats callers differently now.
  bool outlived() const;
  void beginTrust();
  void limitAge();
  void distrust();
  void scheduleExpiry(int64_t now_seconds);
  void onExpiry();
  Worker& worker_;
  const std::shared_ptr<ListenerSlot> slot_;
  const std::shared_ptr<const ListenerState> limits_owner_;  // keeps alive the limits that the codec refers to
  const bool tls_;
  std::shared_ptr<const identity::TrustBundles> reviewed_;  // the bundles that trusted_until_ is based on
  int64_t trusted_until_ = INT64_MAX;
  int64_t drain_at_ = INT64_MAX;  // some time before that; milliseconds
  bool distrusted_ = false;       // in-flight requests get their answer, then the connection closes
  net::Timer expiry_timer_{[this] { onExpiry(); }};
  net::Timer age_timer_{[this] { drain(); }};
  bool opened_ = false;
  int asked_ = 0;                    // requests in the current bytes
  bool asked_any_ = false;           // any request since the connection opened
  int64_t first_request_until_ = 0;  // deadline during a drain, on the loop's clock; 0: none
  std::string peer_text_;
  std::string forwarded_certificate_;
  http::Waiting watched_ = http::Waiting::kExchange;
  net::Connection connection_;
  std::unique_ptr<http::ServerCodec> codec_;  // null until the version is known
};

}  // namespace yett::proxy
