#include "proxy/worker.h"

#include <algorithm>

#include "base/clock.h"
#include "http/stream.h"
#include "identity/trust_bundle.h"
#include "proxy/exchange.h"
#include "proxy/session.h"
#include "upstream/cluster.h"

namespace yett::proxy {

static constexpr size_t kMaxSpare = 64;
static constexpr base::Millis kClockInterval{1000};
static constexpr base::Millis kSpareInterval{1000};

Worker::Worker(net::EventLoop& l, authz::Authorizer& stage, const Shared& shared, const MemoryBudget& memory,
               EventSink sink)
    : loop(l),
      own_token(shared.own_token),
      gate(shared.gate),
      metrics(shared.metrics),
      access_log(shared.access_log),
      events(std::move(sink)),
      authorizer(stage),
      upstreams(l, shared.descriptors,
                [this, told = shared.endpoint_told](const upstream::Cluster& cluster, upstream::Notice notice,
                                                    const std::string& endpoint, const std::string& why) {
                  counts.endpoint(cluster.config.name, notice);
                  if (told) told(cluster, notice, endpoint, why);
                }),
      registry(l, shared.gate, shared.most_handshakes),
      subjects(l),
      bodies(memory.bodies),
      counts(shared.metrics),
      request_duration(shared.metrics.histogram("yett_request_duration_seconds",
                                                "time from a request's head to the end of its response")),
      shedding_(l, registry, subjects, memory.responses, shared.metrics) {
  tokens.key_wanted = shared.key_wanted;
  loop.schedule(heartbeat_timer_, authorizer.heartbeat());
}

Worker::~Worker() {
  registry.closeAll();
}

void Worker::accept(const std::shared_ptr<ListenerSlot>& slot, Poco::Net::StreamSocket socket) {
  auto session = std::make_unique<Session>(*this, slot, std::move(socket));
  Session& made = *session;
  registry.add(std::move(session));
  slot->connections->add(1);
  made.start();
}

// Records the progress of long exchanges, so that a crash does not remove all trace of them.
void Worker::beat() {
  const int64_t now = base::steadyNanos();
  for (serve::Subject* subject : subjects.all()) subject->beat(now, authorizer.heartbeat());
  loop.schedule(heartbeat_timer_, authorizer.heartbeat());
}

void Worker::onPolicy() {
  ++epoch_.policy;
  subjects.recheckAll(serve::Again::kPolicy);
  clock_state_ = authorizer.clockState(base::wallMicros() / 1'000'000);
  if (clock_state_ == 0) clock_timer_.cancel();
  else loop.schedule(clock_timer_, kClockInterval);
}

// Once a second, since the wall clock may be set at any time.
void Worker::watchClock() {
  const uint64_t now = authorizer.clockState(base::wallMicros() / 1'000'000);
  if (std::exchange(clock_state_, now) != now) subjects.recheckAll(serve::Again::kTime);
  loop.schedule(clock_timer_, kClockInterval);
}

void Worker::reviewSessions(std::shared_ptr<const identity::TrustBundles> now,
                            std::shared_ptr<const identity::JwtProviders> providers) {
  bundles_ = std::move(now);
  providers_ = std::move(providers);
  ++epoch_.other;
  registry.reviewAll();
}

void Worker::onDurable(uint64_t ticket) {
  authorizer.onDurable(ticket);
  subjects.onDurable(ticket);
}

Exchange& Worker::takeExchange(Session& session, http::ServerStream& stream) {
  std::unique_ptr<Exchange> exchange;
  if (spare_.empty()) {
    exchange = std::make_unique<Exchange>(*this);
  } else {
    exchange = std::move(spare_.back());
    spare_.pop_back();
  }
  exchange->begin(session, stream);
  subjects.add(*exchange);
  exchange->place = busy_.size();
  exchange->released = false;
  busy_.push_back(std::move(exchange));
  busiest_ = std::max(busiest_, busy_.size());
  return *busy_.back();
}

void Worker::releaseExchange(Exchange& exchange) {
  exchange.orphan();  // its stream may be gone before it is cleared
  if (std::exchange(exchange.released, true)) return;
  // One of its methods may be on the stack.
  loop.afterBatch([this, &exchange] { clear(exchange); });
}

void Worker::clear(Exchange& exchange) {
  exchange.settle();
  exchange.clear();
  subjects.remove(exchange);
  const size_t place = exchange.place;
  spare_.push_back(std::move(busy_[place]));
  if (place + 1 < busy_.size()) {
    busy_[place] = std::move(busy_.back());
    busy_[place]->place = place;
  }
  busy_.pop_back();
  if (spare_.size() > kMaxSpare && !spare_timer_.waiting()) loop.schedule(spare_timer_, kSpareInterval);
}

// Keeps as many as were busy at once lately, and frees the others a few at a time.
void Worker::freeSpare() {
  constexpr size_t kAtOnce = 200;
  constexpr base::Millis kSoon{20};
  const size_t keep = kMaxSpare + busiest_ - busy_.size();
  const size_t fewer = spare_.size() - std::min(spare_.size(), kAtOnce);
  // Exchanges that wait for a record or a recheck are referenced by address: destroy none meanwhile.
  if (!subjects.named() && spare_.size() > keep) spare_.resize(std::max(keep, fewer));
  const bool over = spare_.size() > keep;
  if (!over) busiest_ = busy_.size();
  if (spare_.size() > kMaxSpare) loop.schedule(spare_timer_, over ? kSoon : kSpareInterval);
}

}  // namespace yett::proxy
