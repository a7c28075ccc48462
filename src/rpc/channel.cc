#include "rpc/channel.h"

#include <Poco/Exception.h>
#include <Poco/Net/StreamSocket.h>

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "http/h2_client.h"
#include "http/header_map.h"
#include "net/transport.h"
#include "rpc/message_reader.h"

namespace yett::rpc {

class Channel::Call final : public http::ResponseHandler, public net::Destroyable {
 public:
  Call(Channel& channel, const Method& method, CallEvents& events)
      : channel_(channel), method_(method), events_(events), messages_(channel.most_message_) {}

  void start(std::string_view request) {
    stream_ = &channel_.codec_->open(*this);
    request_.method = "POST";
    request_.target.path = method_.path;
    request_.version = http::Version::kHttp2;
    request_.framing = http::Framing::kChunked;
    request_.headers.add("host", method_.authority);
    request_.headers.add("content-type", "application/grpc+proto");
    request_.headers.add("te", "trailers");
    for (const auto& [name, value] : method_.metadata) request_.headers.add(name, value);
    stream_->sendRequest(request_, none_);
    stream_->sendBody(framed(request));
    stream_->sendEnd(none_);
  }

  http::ResponseHead& responseHead() override { return response_; }
  void onResponse() override {
    if (response_.status < 200) return;
    std::string_view type;
    if (response_.status != 200)
      return fail({codeOfHttp(response_.status), "HTTP status " + std::to_string(response_.status)});
    if (response_.headers.find("content-type", type) != 1 || !type.starts_with("application/grpc"))
      return fail({GrpcCode::kUnknown, "the response is not gRPC"});
  }
  void onBody(std::string_view data) override {
    const auto done = messages_.feed(data, [this](std::string_view message) {
      if (!over_) events_.onMessage(message);
    });
    if (!done) fail({GrpcCode::kResourceExhausted, done.error().message});
  }
  void onEnd() override {
    GrpcStatus status = statusOf(response_);
    if (status.ok() && messages_.incomplete()) status = {GrpcCode::kInternal, "the last message is incomplete"};
    fail(status);
  }
  void onReset(http::ResetCause cause, std::string_view detail) override {
    if (cause == http::ResetCause::kPeerClosed) stream_ = nullptr;
    const bool lost = cause == http::ResetCause::kPeerClosed || cause == http::ResetCause::kRefused;
    fail({lost ? GrpcCode::kUnavailable : GrpcCode::kInternal, std::string(detail),
          cause == http::ResetCause::kPeerClosed});
  }
  void onWritable() override {}

  /// Over, with this status.
  void fail(const GrpcStatus& status) {
    if (std::exchange(over_, true)) return;
    if (stream_ != nullptr) channel_.codec_->close(*std::exchange(stream_, nullptr));
    events_.onDone(status);
    channel_.ended(*this);
  }

 private:
  Channel& channel_;
  const Method method_;  // the head has views of it
  CallEvents& events_;
  MessageReader messages_;
  http::RequestHead request_;
  const http::HeaderMap none_;  // the codec may keep its address
  http::ResponseHead response_;
  http::ClientStream* stream_ = nullptr;
  bool over_ = false;
};

Channel::Channel(net::EventLoop& loop, ChannelEvents& events, size_t most_message)
    : loop_(loop), events_(events), most_message_(most_message) {
  codec_ = std::make_unique<http::H2Client>(*this, limits_);
}

Channel::~Channel() = default;

void Channel::connect(const Poco::Net::SocketAddress& address, base::Millis timeout) {
  Poco::Net::StreamSocket socket;
  try {
    socket.connectNB(address);
  } catch (const Poco::Exception& e) {
    // The owner must not be re-entered from here.
    return loop_.afterBatch([this, why = e.displayText()] { onClosed(why); });
  }
  const int fd = socket.impl()->sockfd();
  connection_ = std::make_unique<net::Connection>(loop_, socket, std::make_unique<net::PlainTransport>(fd), *this);
  connection_->start(true);
  connection_->setTimeout(timeout);
}

void Channel::onOpen() {
  connection_->clearTimeout();
  events_.onChannelOpen();
  codec_->onBatchEnd();
}

void Channel::call(const Method& method, std::string_view request, CallEvents& events) {
  calls_.emplace_back(std::make_unique<Call>(*this, method, events))->start(request);
}

void Channel::callAtBatchEnd() {
  loop_.afterBatch([this] {
    if (connection_ && connection_->open()) codec_->onBatchEnd();
  });
}

void Channel::ended(Call& call) {
  const auto it = std::find_if(calls_.begin(), calls_.end(), [&](const auto& one) { return one.get() == &call; });
  if (it == calls_.end()) return;
  loop_.destroyLater(std::move(*it));
  calls_.erase(it);
  if (!calls_.empty() || !codec_->spent()) return;
  loop_.afterBatch([this] { connection_->abort("the server takes no more calls"); });
}

void Channel::onClosed(std::string_view why) {
  const std::string reason(why.empty() ? "the server closed the connection" : why);
  if (connection_) codec_->onPeerClosed(false, {});
  while (!calls_.empty()) calls_.back()->fail({GrpcCode::kUnavailable, reason, true});
  events_.onChannelClosed(reason);
}

}  // namespace yett::rpc
