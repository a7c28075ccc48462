// One HTTP/2 connection to a gRPC server, and the calls on it. Runs on its loop's thread.
#pragma once

#include <Poco/Net/SocketAddress.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "http/client_codec.h"
#include "http/limits.h"
#include "http/wire.h"
#include "net/connection.h"
#include "rpc/grpc_status.h"

namespace yett::rpc {

/// Receives what a call brings. It must outlive the channel.
class CallEvents {
 public:
  virtual ~CallEvents() = default;
  /// A whole message of the answer; valid during the call.
  virtual void onMessage(std::string_view message) = 0;
  /// The last call.
  virtual void onDone(const GrpcStatus& status) = 0;
};

/// What is called. The server may answer with any number of messages.
struct Method {
  std::string path;                                           ///< "/package.Service/Method"
  std::string authority;                                      ///< for `:authority`
  std::vector<std::pair<std::string, std::string>> metadata;  ///< lower case names
};

class ChannelEvents {
 public:
  virtual ~ChannelEvents() = default;
  /// Calls may begin.
  virtual void onChannelOpen() = 0;
  /// The last event: the connection is closed, or could not be made, and all calls are over. The channel may be passed
  /// to destroyLater() here.
  virtual void onChannelClosed(const std::string& why) = 0;
};

/// Connects once; when it is closed, make another.
class Channel final : public net::ConnectionEvents, public http::Wire, public net::Destroyable {
 public:
  /// `most_message`: bytes of the largest message that is accepted.
  Channel(net::EventLoop& loop, ChannelEvents& events, size_t most_message);
  ~Channel() override;

  /// REQUIRES: called from an event, a task or a timer of the loop.
  void connect(const Poco::Net::SocketAddress& address, base::Millis timeout);
  /// False before it is open, and once the server takes no more calls.
  bool takesCalls() const { return connection_ && connection_->open() && codec_->room() > 0; }
  /// Begins a call with one message. REQUIRES: takesCalls().
  void call(const Method& method, std::string_view request, CallEvents& events);
  /// Closes at once; calls end with UNAVAILABLE. Not from within onMessage() or onDone().
  void close(const std::string& why) { connection_->abort(why); }
  bool closed() const { return connection_ && connection_->closed(); }

  void onOpen() override;
  size_t onData(std::string_view bytes) override { return codec_->onBytes(bytes); }
  void onEof() override { codec_->onPeerClosed(true, {}); }
  void onDrained() override { codec_->onWritable(); }
  void onTimeout() override { connection_->abort("no connection within the timeout"); }
  void onClosed(std::string_view why) override;

  void write(std::string_view bytes) override { connection_->write(bytes); }
  size_t buffered() const override { return connection_->buffered(); }
  void callAtBatchEnd() override;
  int64_t nowMillis() const override { return loop_.nowMillis(); }
  void pauseReading() override { connection_->pauseReading(); }
  void resumeReading() override { connection_->resumeReading(); }
  void finishWriting() override { connection_->finishWriting(); }
  void finish() override { connection_->finish(); }
  void abort() override { connection_->abort(); }

 private:
  class Call;
  void ended(Call& call);

  net::EventLoop& loop_;
  ChannelEvents& events_;
  const size_t most_message_;
  http::Limits limits_;
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<http::ClientCodec> codec_;
  std::vector<std::unique_ptr<Call>> calls_;
};

}  // namespace yett::rpc
