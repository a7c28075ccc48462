// One health check of one endpoint: connects, asks, judges. On the loop of the Watch.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "http/head.h"
#include "net/event_loop.h"
#include "rpc/message_reader.h"
#include "upstream/cluster.h"
#include "upstream/link.h"

namespace yett::upstream {

class HealthCheck final : public Link, public http::ResponseHandler {
 public:
  /// Called once, with why it failed, or "". The check may be given to destroyLater() there.
  using Done = std::function<void(const std::string& why)>;
  HealthCheck(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster, std::shared_ptr<const Endpoint> endpoint,
              Done done);

  void start();
  /// Calls nobody any more. Before it is given to destroyLater() unfinished.
  void cancel();

  void onDrained() override { codec_->onWritable(); }
  void onTimeout() override {}
  void onClosed(std::string_view why) override;

  http::ResponseHead& responseHead() override { return response_; }
  void onResponse() override;
  void onBody(std::string_view data) override;
  void onEnd() override;
  void onReset(http::ResetCause cause, std::string_view detail) override;
  void onWritable() override {}

 protected:
  void onLinked() override;

 private:
  void ask();
  void judgeGrpc();
  void finish(const std::string& why);
  const std::shared_ptr<const Cluster> cluster_;
  Done done_;
  net::Timer limit_;
  http::RequestHead request_;
  std::string host_;  // the head has views of it
  const http::HeaderMap none_;
  http::ResponseHead response_;
  http::ClientStream* stream_ = nullptr;
  rpc::MessageReader messages_{1024};
  std::string message_;  // of gRPC, the response
};

}  // namespace yett::upstream
