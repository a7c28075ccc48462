// One connection to an endpoint: a socket and an HTTP/1.1 client codec. Owned by its pool.
#pragma once

#include <memory>

#include "http/h1_client.h"
#include "http/wire.h"
#include "net/connection.h"
#include "upstream/pool.h"

namespace yett::upstream {

class UpstreamConnection final : public net::ConnectionEvents, public http::Wire, public net::Destroyable {
 public:
  UpstreamConnection(Pool& pool, net::EventLoop& loop, const Endpoint& endpoint, const http::Limits& limits);
  ~UpstreamConnection() override;

  /// Begins to connect for `user`; on failure the pool is asked for another endpoint, `attempts_left` times.
  void connect(PoolUser& user, size_t attempts_left);
  http::H1Client& client() { return client_; }
  const std::string& endpoint() const { return endpoint_; }
  PoolUser* waiting() const { return user_; }
  void forgetUser() { user_ = nullptr; }
  void rest(base::Millis limit);
  void wake();
  bool usable() const { return connection_ && connection_->open() && client_.idle(); }
  void close();

  void onOpen() override;
  size_t onData(std::string_view bytes) override { return client_.onBytes(bytes); }
  void onEof() override { client_.onPeerClosed(true); }
  void onDrained() override { client_.onWritable(); }
  void onTimeout() override;
  void onClosed(std::string_view why) override;

  void write(std::string_view bytes) override { connection_->write(bytes); }
  size_t buffered() const override { return connection_->buffered(); }
  void pauseReading() override { connection_->pauseReading(); }
  void resumeReading() override { connection_->resumeReading(); }
  void finish() override { connection_->finish(); }
  void abort() override { connection_->abort(); }

 private:
  friend class Lease;
  Pool& pool_;
  net::EventLoop& loop_;
  const std::string endpoint_;
  const Poco::Net::SocketAddress address_;
  std::unique_ptr<net::Connection> connection_;
  http::H1Client client_;
  PoolUser* user_ = nullptr;
  size_t attempts_left_ = 0;
  bool opened_ = false;
};

}  // namespace yett::upstream
