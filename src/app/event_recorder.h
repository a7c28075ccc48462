// Puts what has no exchange (failed handshakes, requests that are no HTTP) into the audit log without letting an
// attacker fill it: the first of a kind at once, the rest as one count each ten seconds. One per loop, on its thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "audit/writer.h"
#include "net/event_loop.h"

namespace yett::app {

class EventRecorder {
 public:
  EventRecorder(net::EventLoop& loop, audit::Writer& writer);
  /// `about` and `caller` are personal: they enter the chain as a commitment.
  void record(std::string_view what, std::string_view subject, std::string_view about, std::string_view caller);
  /// Writes what has been counted.
  void flush();

 private:
  net::EventLoop& loop_;
  audit::Writer& writer_;
  net::Timer timer_;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, int64_t> counts_;
};

}  // namespace yett::app
