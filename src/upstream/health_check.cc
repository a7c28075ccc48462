#include "upstream/health_check.h"

#include <utility>

#include "rpc/grpc_status.h"
#include "upstream/health_message.h"

namespace yett::upstream {
namespace {

using Kind = HealthCheckConfig::Kind;

std::shared_ptr<const http::Limits> checkLimits() {
  http::Limits limits;
  limits.streams = 1;
  return std::make_shared<const http::Limits>(limits);
}

Speaks offersOf(const ClusterConfig& config) {
  if (config.health.kind == Kind::kGrpc || config.protocol == Protocol::kHttp2) return Speaks::kHttp2;
  if (config.protocol == Protocol::kAuto && config.tls.on) return Speaks::kUnknown;
  return Speaks::kHttp1;
}

const char* statusName(int status) {
  switch (status) {
    case 0: return "UNKNOWN";
    case 2: return "NOT_SERVING";
    case 3: return "SERVICE_UNKNOWN";
    default: return "a status that does not exist";
  }
}

// The Host of the request: as configured, else the endpoint's.
std::string hostOf(const ClusterConfig& config, const Endpoint& endpoint) {
  if (!config.health.host.empty()) return config.health.host;
  if (!config.tls.peer_name.empty()) return config.tls.peer_name;
  if (endpoint.address.family() == Poco::Net::AddressFamily::UNIX_LOCAL) return "localhost";
  if (!endpoint.host.empty()) return endpoint.host + ":" + std::to_string(endpoint.address.port());
  return endpoint.address.toString();
}

}  // namespace

HealthCheck::HealthCheck(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster,
                         std::shared_ptr<const Endpoint> endpoint, Done done)
    : Link(loop, endpoint, cluster->tls, checkLimits(), offersOf(cluster->config), offersOf(cluster->config)),
      cluster_(std::move(cluster)),
      done_(std::move(done)),
      limit_([this] { finish("no answer within the timeout"); }),
      host_(hostOf(cluster_->config, *endpoint)) {}

void HealthCheck::start() {
  const auto& config = cluster_->config;
  loop_.schedule(limit_, config.health.timeout);
  begin(config.tls, config.health.timeout);
}

void HealthCheck::cancel() {
  done_ = nullptr;
  limit_.cancel();
}

void HealthCheck::onLinked() {
  if (cluster_->config.health.kind == Kind::kTcp) return finish("");
  codec_->onBatchEnd();
  if (codec_->room() == 0) return finish("the service takes no request");
  ask();
}

void HealthCheck::ask() {
  const HealthCheckConfig& config = cluster_->config.health;
  const bool grpc = config.kind == Kind::kGrpc;
  stream_ = &codec_->open(*this);
  request_.method = grpc ? "POST" : "GET";
  request_.version = http2() ? http::Version::kHttp2 : http::Version::kHttp11;
  request_.headers.add("host", host_);
  request_.headers.add("user-agent", "yett-health-check");
  if (grpc) {
    request_.target.path = "/grpc.health.v1.Health/Check";
    request_.framing = http::Framing::kChunked;
    request_.headers.add("content-type", "application/grpc");
    request_.headers.add("te", "trailers");
  } else {
    const size_t query = std::min(config.path.find('?'), config.path.size());
    request_.target.path = config.path.substr(0, query);
    request_.target.has_query = query < config.path.size();
    if (request_.target.has_query) request_.target.query = config.path.substr(query + 1);
  }
  stream_->sendRequest(request_, none_);
  if (grpc && stream_ != nullptr) stream_->sendBody(rpc::framed(healthRequest(config.service)));
  if (stream_ != nullptr) stream_->sendEnd(none_);
}

void HealthCheck::onResponse() {
  if (response_.status < 200) return;
  const bool good = response_.status < 300;
  if (cluster_->config.health.kind == Kind::kHttp || !good)
    finish(good ? "" : "status " + std::to_string(response_.status));
}

void HealthCheck::onBody(std::string_view data) {
  if (cluster_->config.health.kind != Kind::kGrpc || !done_) return;
  const auto taken = messages_.feed(data, [this](std::string_view message) { message_ = message; });
  if (!taken) finish(taken.error().message);
}

void HealthCheck::onEnd() {
  if (cluster_->config.health.kind == Kind::kGrpc) judgeGrpc();
  else finish("");
}

void HealthCheck::judgeGrpc() {
  const auto status = rpc::statusOf(response_);
  if (!status.ok())
    return finish("gRPC status " + std::to_string(static_cast<int>(status.code)) + " " + status.message);
  const int health = healthStatus(message_);
  finish(health == kServing ? "" : std::string("the service says ") + statusName(health));
}

void HealthCheck::onReset(http::ResetCause cause, std::string_view detail) {
  if (cause == http::ResetCause::kPeerClosed) stream_ = nullptr;
  finish(detail.empty() ? "the connection was closed" : std::string(detail));
}

void HealthCheck::onClosed(std::string_view why) {
  finish(why.empty() ? "the connection was closed" : std::string(why));
}

void HealthCheck::finish(const std::string& why) {
  const Done done = std::exchange(done_, nullptr);
  if (!done) return;
  limit_.cancel();
  done(why);
}

}  // namespace yett::upstream
