// One downstream connection: socket below, codec above, exchanges beside. Owned by its worker.
#pragma once

#include <memory>

#include "http/h1_server.h"
#include "net/connection.h"
#include "proxy/worker.h"

namespace yett::proxy {

class Session final : public net::ConnectionEvents,
                      public http::Wire,
                      public http::ServerEvents,
                      public net::Destroyable {
 public:
  Session(Worker& worker, std::shared_ptr<ListenerSlot> slot, Poco::Net::StreamSocket socket);
  ~Session() override;
  void start();
  void drain();
  /// The exchange has answered by itself; what is left of its request gets one time limit.
  void replied();
  void close() { connection_.abort(); }

  Worker& worker() { return worker_; }
  const std::shared_ptr<const ListenerState>& listener() const { return slot_->state; }
  net::Connection& connection() { return connection_; }
  bool tls() const { return tls_; }
  /// The listener's trust bundles are not those that this connection was verified against.
  bool distrusted() const;
  /// Whether the bundles that its listener has now would let the caller in.
  bool trustedNow(int64_t now_seconds) const;

  // The connection's events.
  void onOpen() override;
  size_t onData(std::string_view bytes) override;
  void onEof() override { codec_.onPeerClosed(); }
  void onDrained() override { codec_.onWritable(); }
  void onTimeout() override;
  void onClosed(std::string_view why) override;

  // What the codec needs.
  void write(std::string_view bytes) override { connection_.write(bytes); }
  size_t buffered() const override { return connection_.buffered(); }
  void pauseReading() override { connection_.pauseReading(); }
  void resumeReading() override { connection_.resumeReading(); }
  void finish() override { connection_.finish(); }
  void abort() override { connection_.abort(); }
  http::RequestHandler& onStream(http::ServerStream& stream) override;
  void onStreamEnd(http::RequestHandler& handler) override;

  http::ServerStream& stream() { return codec_; }

 private:
  Worker& worker_;
  const std::shared_ptr<ListenerSlot> slot_;
  const std::shared_ptr<const ListenerState> limits_owner_;  // keeps the limits that the codec refers to
  const bool tls_;
  bool opened_ = false;
  bool timing_head_ = false;
  net::Connection connection_;
  http::H1Server codec_;
};

}  // namespace yett::proxy
