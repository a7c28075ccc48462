#include "authz/permit.h"

#include "audit/writer.h"

namespace yett::authz {

OpenDecision& OpenDecision::operator=(OpenDecision&& other) noexcept {
  if (this != &other) {
    if (writer_ != nullptr) end({.result = "aborted"});
    writer_ = std::exchange(other.writer_, nullptr);
    ticket_ = other.ticket_;
  }
  return *this;
}

OpenDecision::~OpenDecision() {
  if (writer_ != nullptr) end({.result = "aborted"});
}

void OpenDecision::end(const Outcome& o) {
  if (writer_ == nullptr) return;
  writer_->append(ticket_, audit::OutcomeRecord{.status = o.status,
                                                .upstream = o.upstream,
                                                .bytes_in = o.bytes_in,
                                                .bytes_out = o.bytes_out,
                                                .duration_micros = o.duration_micros,
                                                .result = o.result,
                                                .shadow = o.shadow});
  writer_ = nullptr;
}

void OpenDecision::beat(const Progress& p) {
  if (writer_ != nullptr) writer_->append(ticket_, audit::HeartbeatRecord{p.time_micros, p.bytes_in, p.bytes_out});
}

}  // namespace yett::authz
