#include "sink/exporter.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "sink/dead_letters.h"

namespace yett::sink {
namespace {

constexpr size_t kBatch = 500;
constexpr base::Millis kPoll{200};
constexpr base::Millis kFirstRetry{200};
constexpr base::Millis kLastRetry{10'000};
constexpr int kMaxRefusals = 4;        // of one record, before it becomes a dead letter
constexpr base::Millis kLastTry{100};  // between two attempts at shutdown

// "412 3f…": the position and the id of its log. 0 if that is another log.
Result<int64_t> readPosition(const std::string& file, const std::string& log_id) {
  if (::access(file.c_str(), F_OK) != 0) return 0;
  const std::string text = TRY(base::readFile(file));
  const auto words = base::split(base::trimmed(std::string_view(text).substr(0, text.find('\n'))), ' ');
  uint64_t out = 0;
  if (words.size() != 2 || !base::parseUnsigned(words[0], out))
    return Error{file + ": does not contain a position: remove the file to send the whole log again"};
  return words[1] == log_id ? static_cast<int64_t>(out) : 0;
}

// By a temporary file and rename: all or nothing.
Status writePosition(const std::string& file, int64_t position, const std::string& log_id) {
  const std::string temporary = file + ".new";
  const std::string text = std::to_string(position) + " " + log_id + "\n";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool ok =
      fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fdatasync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!ok || std::rename(temporary.c_str(), file.c_str()) != 0)
    return Error{file + ": cannot be written: " + std::strerror(errno)};
  return {};
}

}  // namespace

struct Exporter::Carrier {
  std::string name;
  std::string file;  // of the position
  std::string log_id;
  std::unique_ptr<Sink> sink;
  Feed feed;
  std::atomic<int64_t> position{0};
  std::atomic<int64_t> last{0};
  base::Counter* sent = nullptr;
  base::Counter* failures = nullptr;
  base::Counter* lag = nullptr;
  base::Counter* refused = nullptr;
  DeadLetters dead;
  std::atomic<int64_t> dead_first{INT64_MAX};
  int64_t shown_lag = 0;
  std::atomic<bool> ended{false};
  std::thread thread;

  Carrier(const std::string& database, const SinkConfig& config)
      : name(config.name),
        file(positionFile(database, config.name)),
        feed(database, config.proof),
        dead(deadLetterFile(database, config.name)) {}
  void showLag() {
    const int64_t now = std::max<int64_t>(0, last - position);
    lag->add(now - shown_lag);
    shown_lag = now;
  }
  // Saves the last success.
  Status moveTo(int64_t seq) {
    position = seq;
    showLag();
    return writePosition(file, seq, log_id);
  }
};

std::string positionFile(const std::string& database, const std::string& sink) {
  return database + ".sink-" + sink;
}

Result<std::unique_ptr<Exporter>> Exporter::start(const std::vector<SinkConfig>& sinks, const std::string& database,
                                                  base::Metrics& metrics, Report report, Refused refused) {
  std::unique_ptr<Exporter> out(new Exporter);
  out->refused_ = std::move(refused);
  out->report_ = std::move(report);
  for (const auto& config : sinks) {
    auto carrier = std::make_unique<Carrier>(database, config);
    carrier->dead_first = carrier->dead.first();
    auto sink = makeSink(config);
    if (!sink) return std::move(sink).error().within("sink `" + config.name + "`");
    carrier->sink = std::move(sink).value();
    carrier->log_id = TRY(carrier->feed.logId());
    carrier->position = TRY(readPosition(carrier->file, carrier->log_id));
    carrier->sent =
        &metrics.counter("yett_audit_sink_records_total", {{"sink", config.name}}, "records sent to a sink");
    carrier->failures =
        &metrics.counter("yett_audit_sink_failures_total", {{"sink", config.name}}, "batches not accepted by a sink");
    carrier->lag = &metrics.counter("yett_audit_sink_lag_records", {{"sink", config.name}},
                                    "records that a sink does not have yet", "gauge");
    carrier->refused = &metrics.counter("yett_audit_sink_refused_total", {{"sink", config.name}},
                                        "records that a sink permanently refused");
    // The lag is true from the first scrape on: a sink that is behind at the start never shows 0.
    carrier->last = std::max<int64_t>(TRY(carrier->feed.last()), carrier->position);
    carrier->showLag();
    out->carriers_.push_back(std::move(carrier));
  }
  for (auto& carrier : out->carriers_)
    carrier->thread = std::thread([e = out.get(), c = carrier.get()] {
      e->run(*c);
      c->ended = true;
    });
  return out;
}

Exporter::~Exporter() {
  finish(base::Millis(0));
  for (auto& carrier : carriers_) {
    if (carrier->thread.joinable()) carrier->thread.join();
  }
}

bool Exporter::finish(base::Millis time) {
  constexpr int64_t kLonger = 1'000'000'000;
  end_at_ = base::steadyNanos() + time.count() * 1'000'000;
  {
    const base::Lock lock(mutex_);
    stopping_ = true;
  }
  stop_.notifyAll();
  // A sink that is waiting for its receiver ends when that answers or times out; this does not wait for it.
  const auto all = [&] {
    return std::all_of(carriers_.begin(), carriers_.end(), [](auto& c) { return c->ended.load(); });
  };
  while (!all()) {
    if (base::steadyNanos() > end_at_ + kLonger) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

int64_t Exporter::sent() const {
  int64_t out = INT64_MAX;
  for (const auto& carrier : carriers_)
    out = std::min(
        {out, carrier->position.load(), carrier->dead_first == INT64_MAX ? INT64_MAX : carrier->dead_first.load() - 1});
  return out;
}

// True: we are stopping.
bool Exporter::sleep(base::Millis time) {
  base::Lock lock(mutex_);
  return stop_.waitFor(lock, time, [this]() YETT_REQUIRES(mutex_) { return stopping_; });
}

// In order: dead letter file, event in the chain, position.
Status Exporter::giveUp(Carrier& c, const Record& record, const std::string& why) {
  TRY(c.dead.add(record, why));
  c.dead_first = c.dead.first();
  c.refused->add();
  // No event about a refused event of this kind: a sink that refuses everything would cause events forever.
  const bool tells = record.kind == "event" && record.line.find("\"what\":\"sink refused\"") != std::string::npos;
  if (!tells) refused_(c.name, record.seq, why + ": the record is in " + c.dead.file());
  return c.moveTo(record.seq);
}

void Exporter::run(Carrier& c) {
  base::Millis retry = kFirstRetry;
  size_t batch = kBatch;
  bool failing = false;
  bool ending = false;
  int64_t alone_until = 0;  // records up to here are sent one by one: one of them was refused
  int refusals = 0;         // of the record that is next
  const auto fail = [&](const std::string& why) {
    c.failures->add();
    if (!failing) report_(c.name, why);
    failing = true;
  };
  c.position = c.sink->resumeAt(c.position);
  for (;;) {
    if (ending && base::steadyNanos() > end_at_) return;
    auto records = c.feed.after(c.position, c.position < alone_until ? 1 : batch);
    if (auto last = c.feed.last()) c.last = std::max(last.value(), c.position.load());
    c.showLag();
    c.dead_first = c.dead.first();
    if (records && records.value().empty()) {
      if (ending) return;
      ending = sleep(kPoll);
      continue;
    }
    std::span<const Record> some = records ? std::span<const Record>(records.value()) : std::span<const Record>();
    if (records) some = some.first(c.sink->takes(some));
    Delivery sent = records ? c.sink->send(some) : Delivery{Delivery::How::kLater, records.error().message};
    const bool refused = sent.how == Delivery::How::kRefused;
    if (sent.how == Delivery::How::kTaken) {
      if (auto moved = c.moveTo(some.back().seq); !moved) sent = {Delivery::How::kLater, moved.error().message};
    } else if (refused && some.size() == 1 && !ending && ++refusals >= kMaxRefusals) {
      refusals = 0;
      retry = kFirstRetry;
      if (auto given = giveUp(c, some.front(), sent.why); given) continue;
      else sent = {Delivery::How::kLater, given.error().message};
    }
    if (sent.how == Delivery::How::kTaken) {
      c.sent->add(static_cast<int64_t>(some.size()));
      if (std::exchange(failing, false)) report_(c.name, "");
      refusals = 0;
      retry = kFirstRetry;
      batch = std::min(kBatch, batch * 2);
      continue;
    }
    fail(sent.why);
    if (refused && some.size() > 1) {
      alone_until = some.back().seq;
      continue;
    }
    batch = std::max<size_t>(1, batch / 2);  // a smaller batch may succeed
    c.position = c.sink->resumeAt(c.position);
    if (ending) std::this_thread::sleep_for(kLastTry);
    else ending = sleep(std::max(retry, sent.retry_after));
    retry = std::min(retry * 2, kLastRetry);
  }
}

}  // namespace yett::sink
