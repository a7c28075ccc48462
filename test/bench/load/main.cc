// A closed-loop load generator that can present a client certificate (wrk and h2load cannot): one thread, epoll,
// HTTP/1.1 and HTTP/2, full and resumed handshakes. Prints one JSON object. "measuring" and
// "measured" on standard error tell the driver of the benchmark when to read the proxy's counters.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

#include "codec.h"
#include "options.h"
#include "socket.h"

namespace load {
namespace {

class Generator {
 public:
  explicit Generator(const Options& options)
      : options_(options), tls_(options), choices_(options.choices), epoll_(::epoll_create1(0)) {
    run_.latencies.reserve(1 << 22);
  }

  int run() {
    for (int i = 0; i < options_.connections + options_.idle; ++i) {
      slots_.push_back(std::make_unique<Slot>());
      slots_.back()->idle = i >= options_.connections;
      connect(*slots_.back());
      waitForOpen(slots_.size() - std::min<size_t>(slots_.size(), 256));  // not all at once: the backlog is limited
    }
    waitForOpen(slots_.size());
    // No requests before all are connected: they would delay the remaining handshakes.
    started_ = true;
    for (auto& slot : slots_) {
      if (slot->opened && options_.reconnect == Reconnect::kNever) ask(*slot);
    }
    const int64_t began = nanos();
    const int64_t warm = began + static_cast<int64_t>(options_.warmup * 1e9);
    while (nanos() < warm && !ended()) turn(10);
    std::cerr << "measuring" << std::endl;
    run_.measuring = true;
    const int64_t from = nanos();
    const int64_t until = from + static_cast<int64_t>(options_.seconds * 1e9);
    while (nanos() < until && !ended()) turn(10);
    const int64_t to = nanos();
    run_.measuring = false;
    std::cerr << "measured" << std::endl;
    report(static_cast<double>(to - from) / 1e9);
    return run_.errors == 0 ? 0 : 1;
  }

 private:
  struct Slot {
    Session session{nullptr, SSL_SESSION_free};
    std::unique_ptr<Socket> socket;
    std::unique_ptr<Codec> codec;
    std::string out;
    size_t at = 0;
    uint32_t interest = 0;
    bool idle = false;
    bool opened = false;
  };

  void waitForOpen(size_t number) {
    if (options_.reconnect != Reconnect::kNever) return;
    for (const int64_t until = nanos() + 60'000'000'000; opened_ < number && run_.errors == 0;) {
      turn(100);
      if (nanos() > until) std::cerr << "error: only " << opened_ << " connections are open after 60 s\n", std::exit(1);
    }
  }

  bool ended() const { return (options_.requests > 0 && run_.answered >= options_.requests) || run_.errors > 1000; }

  void connect(Slot& slot) {
    slot.socket.reset();
    slot.out.clear();
    slot.at = 0;
    slot.opened = false;
    const bool once = options_.reconnect != Reconnect::kNever;
    slot.codec = options_.streams > 0 ? makeH2(options_, choices_, run_, once) : makeH1(options_, choices_, run_, once);
    slot.socket = std::make_unique<Socket>(options_, tls_, slot.session);
    slot.interest = EPOLLIN | EPOLLOUT;
    epoll_event event{slot.interest, {.ptr = &slot}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, slot.socket->fd(), &event);
  }

  void turn(int millis) {
    epoll_event events[256];
    const int n = ::epoll_wait(epoll_, events, 256, millis);
    for (int i = 0; i < n; ++i) serve(*static_cast<Slot*>(events[i].data.ptr));
  }

  void broken(Slot& slot) {
    ++run_.errors;
    if (!slot.opened) ++opened_;
    if (!ended()) connect(slot);
  }

  void serve(Slot& slot) {
    if (!slot.opened) {
      const auto state = slot.socket->open();
      if (state == Socket::State::kClosed) return broken(slot);
      if (state == Socket::State::kWaits) return watch(slot);
      slot.opened = true;
      ++opened_;
      ++run_.handshakes;
      if (slot.socket->resumed()) ++run_.resumed;
      if (started_ || options_.reconnect != Reconnect::kNever) return ask(slot);
      return watch(slot);
    }
    if (!flush(slot)) return;
    do {
      size_t got = 0;
      const auto state = slot.socket->read(buffer_, sizeof buffer_, got);
      if (state == Socket::State::kClosed) return broken(slot);
      if (state == Socket::State::kWaits) break;
      if (!slot.codec->onBytes({buffer_, got}, slot.out)) return broken(slot);
      if (slot.codec->done()) return connect(slot);
      if (!flush(slot)) return;
    } while (slot.socket->holdsInput());
    watch(slot);
  }

  void ask(Slot& slot) {
    if (!slot.idle) slot.codec->begin(slot.out);
    if (flush(slot)) watch(slot);
  }

  bool flush(Slot& slot) {
    if (slot.out.empty()) return true;
    const auto state = slot.socket->write(slot.out, slot.at);
    if (state == Socket::State::kClosed) return broken(slot), false;
    if (state == Socket::State::kReady) {
      slot.out.clear();
      slot.at = 0;
    }
    return true;
  }

  void watch(Slot& slot) {
    const uint32_t wanted = EPOLLIN | (slot.socket->wantsWrite() ? EPOLLOUT : 0u);
    if (wanted == slot.interest) return;
    slot.interest = wanted;
    epoll_event event{wanted, {.ptr = &slot}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, slot.socket->fd(), &event);
  }

  void report(double seconds) {
    auto& all = run_.latencies;
    std::sort(all.begin(), all.end());
    const auto at = [&](double part) {
      return all.empty()
                 ? 0.0
                 : all[std::min(all.size() - 1, static_cast<size_t>(part * static_cast<double>(all.size())))] / 1e3;
    };
    std::printf(
        "{\"seconds\": %.4f, \"requests\": %zu, \"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": "
        "%.1f, \"max_us\": %.1f, \"body_bytes\": %llu, "
        "\"total\": %llu, \"errors\": %llu, \"handshakes\": %llu, \"resumed\": %llu}\n",
        seconds, all.size(), static_cast<double>(all.size()) / seconds, at(0.5), at(0.99), at(0.999), at(1),
        static_cast<unsigned long long>(run_.bytes), static_cast<unsigned long long>(run_.answered),
        static_cast<unsigned long long>(run_.errors), static_cast<unsigned long long>(run_.handshakes),
        static_cast<unsigned long long>(run_.resumed));
  }

  const Options& options_;
  Tls tls_;
  Choices choices_;
  Run run_;
  const int epoll_;
  std::vector<std::unique_ptr<Slot>> slots_;
  size_t opened_ = 0;
  bool started_ = false;
  char buffer_[256 << 10];
};

}  // namespace
}  // namespace load

int main(int argc, char** argv) {
  const load::Options options = load::parse(argc, argv);
  const auto generator = std::make_unique<load::Generator>(options);
  return generator->run();
}
