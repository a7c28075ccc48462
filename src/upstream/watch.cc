#include "upstream/watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"

namespace yett::upstream {
namespace {

constexpr int64_t kUncacheable = 5;  // seconds: for answers that may not be kept, and for /etc/hosts
constexpr base::Millis kFirstRetry{1000};
constexpr base::Millis kLastRetry{30'000};
constexpr base::Millis kJitter{500};

bool hasWork(const Watch::Clusters& clusters) {
  return std::any_of(clusters.begin(), clusters.end(), [](const auto& item) {
    const auto& targets = item.second->endpoints->targets();
    return item.second->config.health.kind != HealthCheckConfig::Kind::kNone ||
           std::any_of(targets.begin(), targets.end(),
                       [](const auto& target) { return target.kind != EndpointTarget::Kind::kAddress; });
  });
}

}  // namespace

/// A name to be resolved, of one cluster.
struct Watch::Name {
  std::string cluster;
  std::shared_ptr<EndpointSet> set;
  size_t target = 0;
  bool asking = false;
  std::string why;  // it could not be resolved; "" if it could
  base::Millis retry = kFirstRetry;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  std::unique_ptr<net::Timer> timer;
  ~Name() { *alive = false; }
};

/// An endpoint whose health is checked.
struct Watch::Checked {
  std::shared_ptr<const Cluster> cluster;
  std::shared_ptr<const Endpoint> endpoint;
  int64_t good = 0;  // checks in a row
  int64_t bad = 0;
  bool first = true;
  std::unique_ptr<HealthCheck> running;
  std::unique_ptr<net::Timer> timer;
};

Watch::Watch(Told told) : told_(std::move(told)) {}

Watch::~Watch() {
  stop();
}

void Watch::follow(const Clusters& clusters, const ResolverConfig& resolver) {
  const base::Lock lock(mutex_);
  if (!thread_.joinable()) {
    if (!hasWork(clusters)) return;
    thread_ = std::thread([this] { loop_.run(); });
  }
  loop_.post([this, clusters, resolver] { take(clusters, resolver); });
}

void Watch::stop() {
  const base::Lock lock(mutex_);
  if (!thread_.joinable()) return;
  loop_.post([this] {
    for (auto& checked : checks_) drop(*checked);
    checks_.clear();
    names_.clear();
    resolver_.reset();
    loop_.stop();
  });
  thread_.join();
}

void Watch::resolveNow() {
  const base::Lock lock(mutex_);
  if (!thread_.joinable()) return;
  loop_.post([this] {
    for (auto& name : names_) resolve(*name);
  });
}

void Watch::await(const Clusters& clusters, base::Millis limit) {
  const int64_t end = base::steadyNanos() + limit.count() * 1'000'000;
  const auto waits = [&] {
    return std::any_of(clusters.begin(), clusters.end(),
                       [](const auto& item) { return item.second->endpoints->waits(); });
  };
  while (waits() && base::steadyNanos() < end) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void Watch::take(const Clusters& clusters, const ResolverConfig& resolver) {
  clusters_ = clusters;
  if (!resolver_ || !(config_ == resolver)) {
    names_.clear();  // their questions go with the resolver
    resolver_.reset();
    config_ = resolver;
    resolver_ = std::make_unique<Resolver>(loop_, config_);
  }
  takeNames(clusters);
  takeChecks(clusters);
}

void Watch::takeNames(const Clusters& clusters) {
  std::vector<std::unique_ptr<Name>> now;
  for (const auto& [cluster_name, cluster] : clusters) {
    const auto& set = cluster->endpoints;
    const auto& targets = set->targets();
    for (size_t i = 0; i < targets.size(); ++i) {
      if (targets[i].kind == EndpointTarget::Kind::kAddress) continue;
      const auto known = std::find_if(names_.begin(), names_.end(),
                                      [&](const auto& name) { return name && name->set == set && name->target == i; });
      if (known != names_.end()) {
        now.push_back(std::move(*known));
        continue;
      }
      auto name = std::make_unique<Name>();
      name->cluster = cluster_name;
      name->set = set;
      name->target = i;
      name->timer = std::make_unique<net::Timer>([this, made = name.get()] { resolve(*made); });
      now.push_back(std::move(name));
      loop_.nextTurn(*now.back()->timer);
    }
  }
  names_ = std::move(now);
}

void Watch::resolve(Name& name) {
  if (std::exchange(name.asking, true)) return;
  resolver_->resolve(name.set->targets()[name.target], [this, &name, alive = name.alive](Result<Resolution> found) {
    if (*alive) resolved(name, std::move(found));
  });
}

void Watch::resolved(Name& name, Result<Resolution> found) {
  name.asking = false;
  const auto cluster = clusters_.find(name.cluster);
  if (cluster == clusters_.end()) return;
  const auto tell = [&](Notice notice, const std::string& why) {
    told_(*cluster->second, notice, name.set->targets()[name.target].config.address, why);
  };
  if (!found) {
    const std::string& why = found.error().message;
    name.set->failed(name.target, why);
    if (name.why != why) tell(Notice::kUnresolved, why);
    name.why = why;
    loop_.schedule(*name.timer, spread(name.retry));
    name.retry = std::min(name.retry * 2, kLastRetry);
    return;
  }
  const int64_t ttl = found.value().ttl > 0 ? found.value().ttl : kUncacheable;
  name.retry = kFirstRetry;
  if (name.set->resolved(name.target, std::move(found).value().addresses)) takeChecks(clusters_);
  if (!std::exchange(name.why, "").empty()) tell(Notice::kResolved, "it has addresses again");
  const auto good = std::clamp(base::Millis(std::min<int64_t>(ttl, 86'400) * 1000), config_.min_ttl, config_.max_ttl);
  // Not before the answer runs out: a resolver in between would give the same one.
  const auto most = std::min<int64_t>(kJitter.count(), good.count() / 10);
  loop_.schedule(*name.timer, good + base::Millis(std::uniform_int_distribution<int64_t>(0, most)(random_)));
}

void Watch::takeChecks(const Clusters& clusters) {
  std::vector<std::unique_ptr<Checked>> now;
  for (const auto& item : clusters) {
    const std::shared_ptr<const Cluster>& cluster = item.second;
    const auto endpoints = cluster->endpoints->now();
    for (const auto& endpoint : *endpoints) {
      if (cluster->config.health.kind == HealthCheckConfig::Kind::kNone) {
        endpoint->health->healthy = true;
        continue;
      }
      const auto known = std::find_if(checks_.begin(), checks_.end(), [&](const auto& checked) {
        return checked && checked->endpoint->health == endpoint->health &&
               checked->cluster->config.health == cluster->config.health;
      });
      if (known != checks_.end()) {
        (*known)->cluster = cluster;
        (*known)->endpoint = endpoint;
        now.push_back(std::move(*known));
        continue;
      }
      auto checked = std::make_unique<Checked>();
      checked->cluster = cluster;
      checked->endpoint = endpoint;
      checked->timer = std::make_unique<net::Timer>([this, made = checked.get()] { check(*made); });
      now.push_back(std::move(checked));
      loop_.nextTurn(*now.back()->timer);
    }
  }
  for (auto& checked : checks_) {
    if (checked) drop(*checked);
  }
  checks_ = std::move(now);
}

// What is left of its check may have events in this batch.
void Watch::drop(Checked& checked) {
  if (!checked.running) return;
  checked.running->cancel();
  loop_.destroyLater(std::move(checked.running));
}

void Watch::check(Checked& checked) {
  checked.running = std::make_unique<HealthCheck>(loop_, checked.cluster, checked.endpoint,
                                                  [this, &checked](const std::string& why) { judge(checked, why); });
  checked.running->start();
}

void Watch::judge(Checked& checked, const std::string& why) {
  loop_.destroyLater(std::move(checked.running));
  const HealthCheckConfig& config = checked.cluster->config.health;
  loop_.schedule(*checked.timer, spread(config.interval));
  checked.good = why.empty() ? checked.good + 1 : 0;
  checked.bad = why.empty() ? 0 : checked.bad + 1;
  const bool first = std::exchange(checked.first, false);
  auto& healthy = checked.endpoint->health->healthy;
  const auto tell = [&](Notice notice, const std::string& text) {
    told_(*checked.cluster, notice, checked.endpoint->name, text);
  };
  // An endpoint that fails its very first check gets no requests before it passes one.
  if (!why.empty() && healthy && (first || checked.bad >= config.unhealthy_threshold)) {
    healthy = false;
    tell(Notice::kUnhealthy,
         std::to_string(checked.bad) + (checked.bad == 1 ? " check" : " checks") + " failed, the last: " + why);
  } else if (why.empty() && !healthy && checked.good >= config.healthy_threshold) {
    healthy = true;
    tell(Notice::kHealthy, std::to_string(checked.good) + (checked.good == 1 ? " check" : " checks") + " passed");
  }
}

// Up to a tenth less or more, so that checks and questions do not come in step.
base::Millis Watch::spread(base::Millis around) {
  const int64_t tenth = std::max<int64_t>(1, around.count() / 10);
  return around + base::Millis(std::uniform_int_distribution<int64_t>(-tenth, tenth)(random_));
}

}  // namespace yett::upstream
