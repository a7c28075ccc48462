// Pool: which endpoints there are, and what it does when they or the cluster's settings change.
#include <algorithm>
#include <utility>

#include "http/limits.h"
#include "net/event_loop.h"
#include "upstream/pool.h"
#include "upstream/upstream_connection.h"

namespace yett::upstream {
namespace {

std::shared_ptr<const http::Limits> limitsOf(http::Limits limits, const ClusterConfig& config) {
  limits.head_bytes = config.max_response_head;
  limits.header_count = static_cast<size_t>(config.max_response_fields);
  return std::make_shared<const http::Limits>(limits);
}

// Where each endpoint was among `before`; SIZE_MAX: nowhere.
std::vector<size_t> placesIn(const Endpoints& before, const Endpoints& now) {
  std::vector<size_t> out;
  for (const auto& endpoint : now) {
    const auto at = std::find_if(before.begin(), before.end(), [&](const auto& old) {
      return old->name == endpoint->name && old->address == endpoint->address;
    });
    out.push_back(at == before.end() ? SIZE_MAX : static_cast<size_t>(at - before.begin()));
  }
  return out;
}

}  // namespace

Pool::Pool(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster, const http::Limits& limits,
           net::Gate& descriptors, Told told)
    : loop_(loop),
      cluster_(std::move(cluster)),
      base_limits_(limits),
      limits_(limitsOf(limits, cluster_->config)),
      descriptors_(descriptors),
      told_(std::move(told)),
      states_(0, cluster_->config.outliers, [this](size_t endpoint, bool out, const std::string& why) {
        tell(out ? Notice::kEjected : Notice::kReturned, endpoint, why);
      }) {
  adopt();
}

Pool::~Pool() = default;

void Pool::tell(Notice notice, size_t endpoint, const std::string& why) const {
  if (told_) told_(*cluster_, notice, endpoint < endpoints_->size() ? (*endpoints_)[endpoint]->name : "", why);
}

void Pool::makeBalancer() {
  const ClusterConfig& config = cluster_->config;
  std::vector<Balancer::Member> members;
  for (const auto& endpoint : *endpoints_) {
    // The address tells the endpoints of one name apart.
    members.push_back({endpoint->name + " " + endpoint->address.toString(), endpoint->weight,
                       !config.own_zone.empty() && endpoint->zone == config.own_zone});
  }
  const auto before = std::exchange(balancer_, nullptr);
  const bool panics = before && before->panics();
  const bool near = config.prefer_own_zone && config.balance != Balance::kRingHash;
  const auto tellPanic = [this](bool begins, size_t healthy, size_t all) {
    tell(begins ? Notice::kPanic : Notice::kPanicOver, SIZE_MAX,
         std::to_string(healthy) + " of " + std::to_string(all) + " endpoints are healthy");
  };
  balancer_ = std::make_unique<Balancer>(
      Balancer::Options{config.balance, config.panic_threshold, config.slow_start, near, panics}, std::move(members),
      states_, tellPanic, before.get());
}

// Takes the endpoints of now. Connections to those that are gone end once they are idle.
void Pool::adopt() {
  const uint64_t version = cluster_->endpoints->version();
  if (version == version_) return;
  version_ = version;
  const auto before = endpoints_;
  endpoints_ = cluster_->endpoints->now();
  const auto from = placesIn(*before, *endpoints_);
  std::vector<size_t> to(before->size(), UpstreamConnection::kGone);
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] != SIZE_MAX) to[from[i]] = i;
  }
  for (const auto& [connection, owned] : connections_) {
    if (connection->endpointIndex() != UpstreamConnection::kGone) connection->moveTo(to[connection->endpointIndex()]);
  }
  std::vector<std::vector<UpstreamConnection*>> idle(endpoints_->size());
  std::vector<bool> untrusted(endpoints_->size());
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] == SIZE_MAX) continue;
    idle[i] = std::move(idle_[from[i]]);
    untrusted[i] = untrusted_[from[i]];
    idle_[from[i]].clear();
  }
  std::vector<UpstreamConnection*> gone;
  for (const auto& left : idle_) gone.insert(gone.end(), left.begin(), left.end());
  idle_ = std::move(idle);
  untrusted_ = std::move(untrusted);
  states_.adopt(*endpoints_, from);
  makeBalancer();
  for (auto* connection : gone) connection->end();
  endOld();
}

// HTTP/2 connections that take no new exchanges and have none.
void Pool::endOld() {
  std::vector<UpstreamConnection*> ending;
  for (auto* connection : shared_) {
    if (connection->ready() && connection->old() && connection->codec().idle()) ending.push_back(connection);
  }
  for (auto* connection : ending) connection->end();
}

void Pool::replace(std::shared_ptr<const Cluster> cluster) {
  const bool same = sameConnections(*cluster_, *cluster);
  cluster_ = std::move(cluster);
  states_.setOutliers(cluster_->config.outliers);
  version_ = 0;
  adopt();
  if (same) return;
  limits_ = limitsOf(base_limits_, cluster_->config);
  states_.forgetSpeaks();
  std::vector<UpstreamConnection*> all;
  for (const auto& [connection, owned] : connections_) all.push_back(connection);
  for (auto* connection : all) connection->outdate();
  for (auto* connection : all) connection->endUnlessAccepted(cluster_->tls.get());
  auto idle = std::exchange(idle_, std::vector<std::vector<UpstreamConnection*>>(endpoints_->size()));
  for (const auto& resting : idle) {
    for (auto* connection : resting) connection->end();
  }
  endOld();
}

void Pool::settled(UpstreamConnection& connection) {
  if (cluster_->tls && connection.endpointIndex() != UpstreamConnection::kGone)
    states_.setSpeaks(connection.endpointIndex(), connection.http2() ? Speaks::kHttp2 : Speaks::kHttp1);
  const auto at = std::find(shared_.begin(), shared_.end(), &connection);
  if (!connection.http2()) {
    if (at != shared_.end()) shared_.erase(at);
    if (std::exchange(connection.alone, false)) --alone_;
  } else if (!connection.alone && at == shared_.end()) {
    shared_.push_back(&connection);
  }
  if (connection.endpointIndex() != UpstreamConnection::kGone) untrusted_[connection.endpointIndex()] = false;
}

void Pool::unreachable(size_t endpoint, const std::string& why, bool untrusted) {
  states_.unreachable(endpoint, loop_.nowMillis(), why);
  if (untrusted && !untrusted_[endpoint]) tell(Notice::kUntrusted, endpoint, why);
  untrusted_[endpoint] = untrusted;
}

}  // namespace yett::upstream
