#include "serve/registry.h"

#include <utility>

namespace yett::serve {

void Registry::add(std::unique_ptr<Downstream> connection) {
  const Downstream* key = connection.get();
  all_.emplace(key, std::move(connection));
}

void Registry::remove(Downstream& connection) {
  const auto it = all_.find(&connection);
  if (it == all_.end()) return;
  handshakes_.end(connection);
  loop_.destroyLater(std::move(it->second));
  all_.erase(it);
  gate_.leave();
  tellWhenEmpty();
}

void Registry::tellWhenEmpty() {
  if (draining_ && all_.empty() && drained_) std::exchange(drained_, nullptr)();
}

void Registry::drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  std::vector<Downstream*> all;
  for (const auto& [key, connection] : all_) all.push_back(connection.get());
  for (auto* connection : all) {
    if (contains(connection)) connection->drain();
  }
  tellWhenEmpty();
}

void Registry::reviewAll() {
  const bool running = !reviews_.empty();
  reviews_.clear();
  for (const auto& [key, connection] : all_) reviews_.push_back(connection.get());
  if (!running) reviewSome();
}

void Registry::reviewSome() {
  constexpr size_t kSlice = 32;  // each may verify a chain
  for (size_t i = 0; i < kSlice && !reviews_.empty(); ++i) {
    Downstream* connection = reviews_.back();
    reviews_.pop_back();
    if (contains(connection)) connection->review();
  }
  if (!reviews_.empty()) loop_.nextTurn(review_timer_);
}

void Registry::closeAll() {
  drained_ = nullptr;
  while (!all_.empty()) all_.begin()->second->close({});
}

void Registry::forEach(const std::function<void(Downstream&)>& visit) const {
  for (const auto& [key, connection] : all_) visit(*connection);
}

}  // namespace yett::serve
