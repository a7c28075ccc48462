#include "net/event_loop.h"

#include <catch2/catch.hpp>
#include <thread>

#include "net/rate.h"

using namespace yett;

TEST_CASE("event loop: timers fire in time, in order, and not after cancel") {
  net::EventLoop loop;
  std::vector<int> fired;
  net::Timer a([&] { fired.push_back(1); });
  net::Timer b([&] { fired.push_back(2); });
  net::Timer c([&] { fired.push_back(3); });
  net::Timer end([&] { loop.stop(); });
  loop.schedule(b, base::Millis(60));
  loop.schedule(a, base::Millis(20));
  loop.schedule(c, base::Millis(40));
  loop.schedule(end, base::Millis(120));
  c.cancel();
  loop.run();
  CHECK(fired == std::vector<int>{1, 2});
}

TEST_CASE("event loop: a timer may move or destroy others, and itself, while it fires") {
  net::EventLoop loop;
  int count = 0;
  auto victim = std::make_unique<net::Timer>([&] { count += 100; });
  net::Timer* again_ptr = nullptr;
  net::Timer again([&] {
    victim.reset();
    if (++count < 3) loop.schedule(*again_ptr, base::Millis(8));
    else loop.stop();
  });
  again_ptr = &again;
  loop.schedule(again, base::Millis(10));
  loop.schedule(*victim, base::Millis(10));
  loop.run();
  CHECK(count == 3);
}

TEST_CASE("event loop: a timer longer than one revolution of the wheel does not fire early") {
  net::EventLoop loop;
  bool early = false;
  net::Timer far([&] { early = true; });
  net::Timer end([&] { loop.stop(); });
  loop.schedule(far, base::Millis(8 * 1024 + 50));
  loop.schedule(end, base::Millis(100));
  loop.run();
  CHECK_FALSE(early);
}

TEST_CASE("event loop: posts from another thread run on the loop, in order") {
  net::EventLoop loop;
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&seen, i] { seen.push_back(i); });
    loop.stop();
  });
  loop.run();
  other.join();
  REQUIRE(seen.size() == 1000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("event loop: slow work does not starve tasks scheduled for the next turn") {
  net::EventLoop loop;
  int turns = 0;
  int slow = 0;
  int most = 0;  // slow tasks between two turns
  int since = 0;
  std::vector<std::unique_ptr<net::Timer>> work;
  net::Timer turn([&] {
    ++turns;
    most = std::max(most, std::exchange(since, 0));
    if (slow < 40) loop.nextTurn(turn);
    else loop.stop();
  });
  for (int i = 0; i < 40; ++i) {
    work.push_back(std::make_unique<net::Timer>([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ++slow;
      ++since;
    }));
    loop.whenThereIsTime(*work.back());
    loop.whenThereIsTime(*work.back());  // queued only once
  }
  loop.nextTurn(turn);
  loop.run();
  CHECK(slow == 40);
  CHECK(most <= 3);
  CHECK(turns >= 14);
}

TEST_CASE("rate: a second's worth at once, then one by one") {
  net::Rate rate(10);
  int64_t now = 5'000'000'000;
  int taken = 0;
  while (rate.take(now)) ++taken;
  CHECK(taken >= 10);
  CHECK(taken <= 11);
  CHECK_FALSE(rate.take(now + 50'000'000));
  CHECK(rate.take(now + 101'000'000));
  CHECK_FALSE(rate.take(now + 102'000'000));
  now += 3'600'000'000'000;  // an idle hour accumulates no more than a second's worth
  taken = 0;
  while (rate.take(now)) ++taken;
  CHECK(taken <= 11);
  CHECK(net::Rate(0).take(now));
}

TEST_CASE("event loop: exceptions are reported, and everything else continues") {
  net::EventLoop loop;
  std::vector<std::string> told;
  loop.onFault([&](const char* what) { told.emplace_back(what); });
  int ran = 0;
  net::Timer bad([] { throw std::bad_alloc(); });
  net::Timer good([&] { ++ran; });
  net::Timer last([&] { loop.stop(); });
  loop.schedule(bad, base::Millis(1));
  loop.schedule(good, base::Millis(1));
  loop.schedule(last, base::Millis(30));
  loop.post([] { throw std::runtime_error("task"); });
  loop.post([&] { ++ran; });
  loop.run();
  CHECK(ran == 2);
  CHECK(told == std::vector<std::string>{"task", "std::bad_alloc"});
  CHECK(loop.pulse().busy_nanos == 0);
}
