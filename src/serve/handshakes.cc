#include "serve/handshakes.h"

#include <utility>

namespace yett::serve {

static constexpr int64_t kPatience = 1000;  // milliseconds
static constexpr const char* kTooMany = "there were too many unfinished handshakes, and this one was the oldest";

void Handshakes::reach(Downstream& connection, net::HandshakeStage stage) {
  std::list<Downstream*>& list = stage == net::HandshakeStage::kHello    ? hellos_
                                 : stage == net::HandshakeStage::kQueued ? queued_
                                                                         : under_way_;
  if (connection.handshakes_ == &list) return;
  end(connection);
  connection.handshakes_ = &list;
  connection.handshake_ = list.insert(list.end(), &connection);
  connection.handshake_since_ = loop_.nowMillis();
  if (stage != net::HandshakeStage::kQueued && list.size() > places_) list.front()->close(kTooMany);
}

void Handshakes::end(Downstream& connection) {
  if (auto* list = std::exchange(connection.handshakes_, nullptr)) list->erase(connection.handshake_);
}

bool Handshakes::admits() const {
  return !full() || loop_.nowMillis() - under_way_.front()->handshake_since_ >= kPatience;
}

}  // namespace yett::serve
