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
                            "exchanges and connections cut off because responses used up their memory budget")),
      held_(metrics.counter("yett_held_bytes", {}, "bytes in memory that peers do not read", "gauge")) {
  loop.schedule(timer_, kInterval);
}

// Counts what each one holds before cutting it off, since some of it is freed only after the batch.
void Shedding::look() {
  loop_.schedule(timer_, kInterval);
  const int64_t now = base::Held::total();
  held_.add(now - std::exchange(told_held_, now));
  if (now <= budget_) return holders_.clear();
  int64_t too_much = now - (budget_ - budget_ / 8);
  shedSubjects(too_much);
  if (too_much > 0) shedConnections(too_much);
}

void Shedding::shedSubjects(int64_t& too_much) {
  constexpr int64_t kSlow = 1000;                  // milliseconds
  std::vector<std::pair<int64_t, Subject*>> slow;  // by time of last progress
  for (Subject* subject : subjects_.all()) {
    if (subject->waitsForClient() && loop_.nowMillis() - subject->lastProgress() >= kSlow && subject->heldBytes() > 0)
      slow.emplace_back(subject->lastProgress(), subject);
  }
  std::sort(slow.begin(), slow.end());
  for (const auto& [when, subject] : slow) {
    if (too_much <= 0) return;
    if (!subject->waitsForClient()) continue;  // it ended together with another
    too_much -= static_cast<int64_t>(subject->heldBytes());
    shed_.add();
    subject->cutForMemory();
  }
}

// A connection may hold memory for a moment; those that hold it for long are using up the budget.
void Shedding::shedConnections(int64_t& too_much) {
  constexpr size_t kMuch = 64 << 10;
  constexpr size_t kSome = 4 << 10;
  constexpr int64_t kLong = 1000;  // milliseconds
  std::unordered_map<Downstream*, size_t> held;
  registry_.forEach([&](Downstream& connection) { held[&connection] = connection.heldBytes(); });
  for (const Subject* subject : subjects_.all()) {
    if (const auto it = held.find(subject->downstream()); it != held.end()) it->second += subject->heldAtService();
  }
  std::vector<std::pair<size_t, Downstream*>> large;
  std::vector<std::pair<int64_t, Downstream*>> lasting;
  std::unordered_map<const Downstream*, int64_t> holders;
  for (const auto& [connection, bytes] : held) {
    if (bytes < kSome) continue;
    if (bytes >= kMuch) large.emplace_back(bytes, connection);
    const auto before = holders_.find(connection);
    const int64_t since = before != holders_.end() ? before->second : loop_.nowMillis();
    holders.emplace(connection, since);
    if (loop_.nowMillis() - since >= kLong) lasting.emplace_back(since, connection);
  }
  holders_ = std::move(holders);
  std::sort(large.rbegin(), large.rend());
  for (const auto& [bytes, connection] : large) close(*connection, bytes, too_much);
  std::sort(lasting.begin(), lasting.end());
  for (const auto& [since, connection] : lasting) close(*connection, held[connection], too_much);
}

void Shedding::close(Downstream& connection, size_t bytes, int64_t& too_much) {
  if (too_much <= 0 || !registry_.contains(&connection)) return;
  too_much -= static_cast<int64_t>(bytes);
  shed_.add();
  connection.close("its unread data has used up the memory for responses");
}

}  // namespace yett::serve
