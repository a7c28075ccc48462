#include "app/event_recorder.h"

#include "base/clock.h"
#include "base/text.h"

namespace yett::app {

static constexpr size_t kMaxKinds = 256;
static constexpr base::Millis kInterval{10'000};

EventRecorder::EventRecorder(net::EventLoop& loop, audit::Writer& writer)
    : loop_(loop), writer_(writer), timer_([this] { flush(); }) {}

void EventRecorder::record(std::string_view what, std::string_view subject, std::string_view about,
                           std::string_view caller) {
  const bool room = counts_.size() < kMaxKinds;
  const std::string shown = room ? base::printable(about.substr(0, 512)) : "other";
  const std::string who(room ? caller : std::string_view());
  const auto [it, fresh] = counts_.try_emplace({std::string(what), std::string(subject), shown, who}, 0);
  if (!fresh) {
    ++it->second;
    return;
  }
  writer_.append(audit::EventRecord{base::wallMicros(), what, subject, "", 1, who, shown});
  if (!timer_.waiting()) loop_.schedule(timer_, kInterval);
}

void EventRecorder::flush() {
  for (const auto& [key, count] : counts_) {
    if (count == 0) continue;
    const auto& [what, subject, about, caller] = key;
    writer_.append(audit::EventRecord{base::wallMicros(), what, subject, "", count, caller, about});
  }
  counts_.clear();
}

}  // namespace yett::app
