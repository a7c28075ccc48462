#include "upstream/lease.h"

#include "upstream/upstream_connection.h"

namespace yett::upstream {

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    connection_ = std::exchange(other.connection_, nullptr);
    stream_ = std::exchange(other.stream_, nullptr);
    fresh_ = other.fresh_;
    trial_ = other.trial_;
  }
  return *this;
}

http::ClientStream& Lease::open(http::ResponseHandler& handler) {
  connection_->beginExchange();
  connection_->began();
  ++connection_->load().requests;
  stream_ = &connection_->codec().open(handler);
  return *stream_;
}

void Lease::release() {
  UpstreamConnection* connection = std::exchange(connection_, nullptr);
  http::ClientStream* stream = std::exchange(stream_, nullptr);
  if (connection == nullptr) return;
  if (stream != nullptr) {
    connection->ended(trial_);
    --connection->load().requests;
    connection->codec().close(*stream);
  } else if (trial_ != 0) {
    connection->disclaim(trial_);
  }
  connection->pool_.giveBack(*connection);
}

const std::string& Lease::endpoint() const {
  return connection_->endpoint();
}
std::shared_ptr<const Endpoint> Lease::where() const {
  return connection_->where();
}
void Lease::limitNextRead(size_t bytes) const {
  connection_->limitNextRead(bytes);
}
size_t Lease::heldBytes() const {
  if (connection_ == nullptr || stream_ == nullptr) return 0;
  return connection_->http2() ? stream_->heldBytes() : connection_->heldBytes();
}
void Lease::failed(const std::string& why) const {
  connection_->failed(why, trial_);
}
void Lease::answered(int64_t micros) const {
  connection_->where()->health->answered(micros);
}
void Lease::succeeded() const {
  connection_->succeeded(trial_);
}
void Lease::lost(const std::string& why, bool connection) const {
  if (connection && std::exchange(connection_->counted, true) && trial_ == 0) return;
  failed(why);
}
void Lease::brokeOff(const std::string& why, bool connection) const {
  if (connection && std::exchange(connection_->counted, true) && trial_ == 0) return;
  connection_->brokeOff(why, trial_);
}
void Lease::completed() const {
  connection_->completed(trial_);
}
void Lease::suspect() const {
  connection_->suspect();
}
void Lease::leave() const {
  connection_->codec().leave();
}
bool Lease::http2() const {
  return connection_->http2();
}

}  // namespace yett::upstream
