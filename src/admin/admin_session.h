// One connection to the admin interface. Runs on the admin loop.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "admin/admin_pages.h"
#include "http/h1_server.h"
#include "net/connection.h"

namespace yett::admin {

class AdminSession final : public net::ConnectionEvents,
                           public http::Wire,
                           public http::ServerEvents,
                           public http::RequestHandler,
                           public net::Destroyable {
 public:
  struct Owner {
    const AdminContent& content;
    /// Runs a command on another thread; answer() is called later.
    std::function<void(AdminSession& session, std::string path, std::string body)> command;
    std::function<void(AdminSession& session)> closed;
  };
  AdminSession(net::EventLoop& loop, const Poco::Net::StreamSocket& socket, bool trusted, const Owner& owner);
  void start();
  /// The user of the peer process; below 0: unknown.
  void knowPeer(int64_t uid) { peer_ = uid; }
  int64_t peer() const { return peer_; }
  /// Waits for the answer to a command.
  bool busy() const { return busy_; }
  void answer(const Page& page);
  /// Makes room for another.
  void close() { connection_.abort(); }

  void onOpen() override {}
  size_t onData(std::string_view bytes) override;
  void onEof() override { codec_.onPeerClosed(); }
  void onDrained() override { codec_.onWritable(); }
  void onTimeout() override;
  void onClosed(std::string_view why) override;

  void write(std::string_view bytes) override { connection_.write(bytes); }
  size_t buffered() const override { return connection_.buffered(); }
  void pauseReading() override { connection_.pauseReading(); }
  void resumeReading() override { connection_.resumeReading(); }
  bool yield() override {
    connection_.yield();
    return true;
  }
  void callAtBatchEnd() override {}
  int64_t nowMillis() const override { return loop_.nowMillis(); }
  void finishWriting() override { connection_.finishWriting(); }
  void finish() override { connection_.finish(); }
  void abort() override { connection_.abort(); }

  http::RequestHandler& onStream(http::ServerStream& stream) override;
  void onStreamEnd(http::RequestHandler&) override;
  void onConnectionError(std::string_view) override {}

  http::RequestHead& requestHead() override { return request_; }
  void onRequest() override;
  void onBadRequest(int status, std::string_view why) override;
  void onBody(std::string_view data) override { body_ += data; }
  void onEnd() override;
  void onReset(http::ResetCause cause, std::string_view detail) override;
  void onWritable() override {}

 private:
  void watch();
  bool isCommand() const;
  net::EventLoop& loop_;
  const bool trusted_;
  const Owner& owner_;
  http::ServerStream* stream_ = nullptr;
  http::RequestHead request_;
  std::string body_;
  bool busy_ = false;  // with a command
  int64_t peer_ = -1;
  http::Waiting watched_ = http::Waiting::kExchange;
  net::Connection connection_;
  http::H1Server codec_;
};

}  // namespace yett::admin
