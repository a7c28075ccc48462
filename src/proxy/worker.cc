#include "proxy/worker.h"

#include <algorithm>

#include "base/clock.h"
#include "base/held.h"
#include "net/tls_transport.h"
#include "proxy/exchange.h"
#include "proxy/pipeline.h"
#include "proxy/session.h"

namespace yett::proxy {

static constexpr size_t kMostSpare = 64;
static constexpr base::Millis kShedInterval{100};

namespace {

// Of what a service sends. Many callers share one HTTP/2 connection to it, so each may hold little of it in memory.
http::Limits upstreamLimits() {
  http::Limits limits;
  limits.stream_window = 64 << 10;
  return limits;
}

}  // namespace

Worker::Worker(net::EventLoop& l, net::Gate& g, net::Gate& descriptors, const MemoryBudget& memory,
               audit::Writer& writer, base::Metrics& m, base::LineSink* log, EventSink sink)
    : loop(l),
      gate(g),
      budget(memory),
      bodies(memory.bodies),
      metrics(m),
      access_log(log),
      events(std::move(sink)),
      authorizer(writer, m),
      pools(l, upstreamLimits(), descriptors),
      request_duration(
          m.histogram("yett_request_duration_seconds", "time from a request's head to the end of its response")),
      shed_(m.counter("yett_shed_total", {},
                      "exchanges and connections cut off because responses used up their budget of memory")),
      held_(m.counter("yett_held_bytes", {}, "bytes in memory for peers who do not take them", "gauge")) {
  loop.schedule(shed_timer_, kShedInterval);
  loop.schedule(heartbeat_timer_, authorizer.heartbeat());
}

// Where peers who take nothing hold too much, some give up theirs: first single exchanges whose client has taken
// nothing for a while, the slowest first; then whole connections, those that hold most first. What they hold is known
// beforehand, since some of it is freed only when the batch is over.
void Worker::shed() {
  loop.schedule(shed_timer_, kShedInterval);
  const int64_t now = base::Held::total();
  held_.add(now - std::exchange(told_held_, now));
  const auto most = static_cast<int64_t>(budget.responses);
  if (now <= most) return;
  int64_t too_much = now - (most - most / 8);
  shedExchanges(too_much);
  if (too_much > 0) shedSessions(too_much);
}

void Worker::shedExchanges(int64_t& too_much) {
  constexpr int64_t kSlow = 1000;                   // milliseconds
  std::vector<std::pair<int64_t, Exchange*>> slow;  // by when they last got anywhere
  for (const auto& exchange : busy_) {
    if (exchange->waitsForClient() && loop.nowMillis() - exchange->lastProgress() >= kSlow && exchange->heldBytes() > 0)
      slow.emplace_back(exchange->lastProgress(), exchange.get());
  }
  std::sort(slow.begin(), slow.end());
  for (const auto& [when, exchange] : slow) {
    if (too_much <= 0) return;
    if (!exchange->waitsForClient()) continue;  // it ended with another
    too_much -= static_cast<int64_t>(exchange->heldBytes());
    shed_.add();
    exchange->cutForMemory();
  }
}

void Worker::shedSessions(int64_t& too_much) {
  constexpr size_t kMuch = 64 << 10;  // less is what everybody may hold for a moment
  std::map<Session*, size_t> held;
  for (const auto& [session, owned] : sessions_) held[session] = session->heldBytes();
  for (const auto& exchange : busy_) {
    if (exchange->serial() != 0 && !exchange->released) held[&exchange->session()] += exchange->heldAtService();
  }
  std::vector<std::pair<size_t, Session*>> large;
  for (const auto& [session, bytes] : held) {
    if (bytes >= kMuch) large.emplace_back(bytes, session);
  }
  std::sort(large.rbegin(), large.rend());
  for (const auto& [bytes, session] : large) {
    if (too_much <= 0) return;
    if (!sessions_.contains(session)) continue;
    too_much -= static_cast<int64_t>(bytes);
    shed_.add();
    session->close();
  }
}

// What has gone on for long is recorded, so that a crash does not take all trace of it.
void Worker::beat() {
  const int64_t now = base::steadyNanos();
  for (const auto& exchange : busy_) exchange->beat(now, authorizer.heartbeat());
  loop.schedule(heartbeat_timer_, authorizer.heartbeat());
}

Worker::~Worker() {
  closeAll();
}

void Worker::accept(const std::shared_ptr<ListenerSlot>& slot, Poco::Net::StreamSocket socket) {
  auto session = std::make_unique<Session>(*this, slot, std::move(socket));
  Session& made = *session;
  sessions_.emplace(&made, std::move(session));
  slot->connections->add(1);
  made.start();
}

// Whoever says half of a handshake and waits must not take all memory: the oldest goes where there are too many.
void Worker::beginHandshake(Session& session) {
  session.handshake = handshakes_.insert(handshakes_.end(), &session);
  session.handshaking = true;
  const size_t most = std::max<size_t>(64, static_cast<size_t>(gate.limit()) / 8);
  if (handshakes_.size() > most) handshakes_.front()->close();
}

void Worker::settle(Session& session) {
  if (std::exchange(session.handshaking, false)) handshakes_.erase(session.handshake);
}

void Worker::remove(Session& session) {
  const auto it = sessions_.find(&session);
  if (it == sessions_.end()) return;
  settle(session);
  loop.destroyLater(std::move(it->second));
  sessions_.erase(it);
  gate.leave();
  if (draining_ && sessions_.empty() && drained_) std::exchange(drained_, nullptr)();
}

void Worker::drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  std::vector<Session*> all;
  for (const auto& [session, owned] : sessions_) all.push_back(session);
  for (auto* session : all) {
    if (sessions_.contains(session)) session->drain();
  }
  if (sessions_.empty() && drained_) std::exchange(drained_, nullptr)();
}

void Worker::recheckOpen() {
  const bool running = !rechecks_.empty();
  rechecks_.clear();
  for (const auto& exchange : busy_) {
    if (exchange->underWay()) rechecks_.emplace_back(exchange.get(), exchange->serial());
  }
  if (!running) recheckSome();
}

void Worker::recheckSome() {
  constexpr size_t kSlice = 16;  // so that ten thousand streams do not stop the loop
  for (size_t i = 0; i < kSlice && !rechecks_.empty(); ++i) {
    const auto [exchange, serial] = rechecks_.back();
    rechecks_.pop_back();
    if (exchange->serial() == serial && exchange->underWay()) Pipeline::recheck(*exchange);
  }
  if (!rechecks_.empty()) loop.nextTurn(recheck_timer_);
}

void Worker::recheckSoon() {
  if (!recheck_all_timer_.waiting()) loop.nextTurn(recheck_all_timer_);
}

void Worker::reviewSessions(std::shared_ptr<const identity::TrustBundles> now) {
  bundles_ = std::move(now);
  const bool running = !reviews_.empty();
  reviews_.clear();
  for (const auto& [session, owned] : sessions_) reviews_.push_back(session);
  if (!running) reviewSome();
}

void Worker::reviewSome() {
  constexpr size_t kSlice = 32;  // each may verify a chain
  for (size_t i = 0; i < kSlice && !reviews_.empty(); ++i) {
    Session* session = reviews_.back();
    reviews_.pop_back();
    if (sessions_.contains(session)) session->review();
  }
  if (!reviews_.empty()) loop.nextTurn(review_timer_);
}

void Worker::closeAll() {
  drained_ = nullptr;
  while (!sessions_.empty()) sessions_.begin()->first->close();
}

void Worker::awaitRecord(Exchange& exchange, const authz::Pending& pending) {
  awaiting_.push_back({&exchange, exchange.serial(), pending});
}

void Worker::goOn(const Awaiting& waiting) {
  if (waiting.exchange->serial() == waiting.serial) waiting.exchange->onRecord(waiting.pending);
}

void Worker::onDurable(uint64_t ticket) {
  authorizer.onDurable(ticket);
  while (!awaiting_.empty() && awaiting_.front().pending.ticket() <= ticket) {
    const Awaiting waiting = awaiting_.front();
    awaiting_.pop_front();
    goOn(waiting);
  }
}

void Worker::onAuditFailed() {
  const auto all = std::exchange(awaiting_, {});
  for (const auto& waiting : all) goOn(waiting);
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
  exchange->place = busy_.size();
  exchange->released = false;
  return *busy_.emplace_back(std::move(exchange));
}

void Worker::releaseExchange(Exchange& exchange) {
  exchange.orphan();  // its stream may be gone before it is cleared
  if (std::exchange(exchange.released, true)) return;
  // One of its methods may be on the stack.
  loop.afterBatch([this, &exchange] {
    exchange.clear();
    const size_t place = exchange.place;
    spare_.push_back(std::move(busy_[place]));
    if (place + 1 < busy_.size()) {
      busy_[place] = std::move(busy_.back());
      busy_[place]->place = place;
    }
    busy_.pop_back();
    // Who waits for a record or for a newer policy's word is named by its address: none is destroyed meanwhile.
    if (awaiting_.empty() && rechecks_.empty() && spare_.size() > kMostSpare) spare_.resize(kMostSpare);
  });
}

void Worker::countRequest(const std::string& listener, std::string_view route, int status) {
  std::string& key = counter_key_;
  key = listener;
  key += ' ';
  key += route;
  key += static_cast<char>(status / 100);
  key += static_cast<char>(status % 100);
  auto it = request_counters_.find(key);
  if (it == request_counters_.end()) {
    base::Counter& counter = metrics.counter(
        "yett_requests_total", {{"listener", listener}, {"route", route}, {"code", std::to_string(status)}},
        "requests by their answer");
    it = request_counters_.emplace(key, &counter).first;
  }
  it->second->add();
}

}  // namespace yett::proxy
