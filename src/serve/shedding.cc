#include "serve/shedding.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/held.h"

namespace yett::serve {

static constexpr base::Millis kInterval{100};

Shedding::Shedding(net::EventLoop& loop, Registry& registry, Subjects& subjects, size_t budget, base::Metrics& metrics)
    : loop_(loop),
      registry_(registry),
      subjects_(subjects),
      budget_(static_cast<int64_t>(budget)),
      shed_(metrics.counter("yett_shed_total", {},
                            "exchanges and connections cut off because responses used up their budget of memory")),
      held_(metrics.counter("yett_held_bytes", {}, "bytes in memory for peers who do not take them", "gauge")) {
  loop.schedule(timer_, kInterval);
}

// What they hold is known beforehand, since some of it is freed only when the batch is over.
void Shedding::look() {
  loop_.schedule(timer_, kInterval);
  const int64_t now = base::Held::total();
  held_.add(now - std::exchange(told_held_, now));
  if (now <= budget_) return;
  int64_t too_much = now - (budget_ - budget_ / 8);
  shedSubjects(too_much);
  if (too_much > 0) shedConnections(too_much);
}

void Shedding::shedSubjects(int64_t& too_much) {
  constexpr int64_t kSlow = 1000;                  // milliseconds
  std::vector<std::pair<int64_t, Subject*>> slow;  // by when they last got anywhere
  for (Subject* subject : subjects_.all()) {
    if (subject->waitsForClient() && loop_.nowMillis() - subject->lastProgress() >= kSlow && subject->heldBytes() > 0)
      slow.emplace_back(subject->lastProgress(), subject);
  }
  std::sort(slow.begin(), slow.end());
  for (const auto& [when, subject] : slow) {
    if (too_much <= 0) return;
    if (!subject->waitsForClient()) continue;  // it ended with another
    too_much -= static_cast<int64_t>(subject->heldBytes());
    shed_.add();
    subject->cutForMemory();
  }
}

void Shedding::shedConnections(int64_t& too_much) {
  constexpr size_t kMuch = 64 << 10;  // less is what everybody may hold for a moment
  std::unordered_map<Downstream*, size_t> held;
  registry_.forEach([&](Downstream& connection) { held[&connection] = connection.heldBytes(); });
  for (const Subject* subject : subjects_.all()) {
    if (const auto it = held.find(subject->downstream()); it != held.end()) it->second += subject->heldAtService();
  }
  std::vector<std::pair<size_t, Downstream*>> large;
  for (const auto& [connection, bytes] : held) {
    if (bytes >= kMuch) large.emplace_back(bytes, connection);
  }
  std::sort(large.rbegin(), large.rend());
  for (const auto& [bytes, connection] : large) {
    if (too_much <= 0) return;
    if (!registry_.contains(connection)) continue;
    too_much -= static_cast<int64_t>(bytes);
    shed_.add();
    connection->close();
  }
}

}  // namespace yett::serve
