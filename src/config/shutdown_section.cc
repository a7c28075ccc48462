#include "config/sections.h"

namespace yett::config {

void readShutdown(ObjectReader& in, ShutdownConfig& out) {
  in.durationOrZero("delay", out.delay);
  in.duration("drain_timeout", out.drain_timeout);
  in.duration("sink_flush_timeout", out.sink_flush_timeout);
}

}  // namespace yett::config
