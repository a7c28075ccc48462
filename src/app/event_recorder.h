// Records events without an exchange (failed handshakes, requests that are not HTTP) in the audit log, but does not let
// an attacker fill it: the first of each kind immediately, the rest as a count every ten seconds. One per loop, on its
// thread.
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
  /// `about` and `caller` are personal data: the chain holds only a commitment to them.
  void record(std::string_view what, std::string_view subject, std::string_view about, std::string_view caller);
  /// Writes the counts.
  void flush();

 private:
  net::EventLoop& loop_;
  audit::Writer& writer_;
  net::Timer timer_;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, int64_t> counts_;
};

}  // namespace yett::app
