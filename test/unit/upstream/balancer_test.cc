// Shares of the endpoints, ejection, and how few keys move on a ring.
#include "upstream/balancer.h"

#include <catch2/catch.hpp>
#include <map>

using namespace yett;
using upstream::Balance;
using upstream::Balancer;
using upstream::EndpointStates;

namespace {

std::vector<std::string> named(size_t count) {
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) out.push_back("10.0.0." + std::to_string(i) + ":80");
  return out;
}

std::vector<Balancer::Member> members(const std::vector<uint32_t>& weights) {
  std::vector<Balancer::Member> out;
  for (const auto& name : named(weights.size())) out.push_back({name, weights[out.size()]});
  return out;
}

const char* nameOf(Balance kind) {
  switch (kind) {
    case Balance::kLeastRequest: return "least_request";
    case Balance::kRoundRobin: return "round_robin";
    case Balance::kRandom: return "random";
    case Balance::kRingHash: return "ring_hash";
  }
  return "";
}

// The share of each endpoint over `requests`, `concurrent` of which are in flight at once.
std::vector<double> shares(Balance kind, const std::vector<uint32_t>& weights, size_t requests, size_t concurrent) {
  EndpointStates states(weights.size(), {}, nullptr);
  Balancer balancer({kind}, members(weights), states);
  std::vector<size_t> counts(weights.size(), 0);
  std::vector<size_t> in_flight;
  for (size_t i = 0; i < requests; ++i) {
    const size_t endpoint = balancer.next(0, std::nullopt);
    ++counts[endpoint];
    states.began(endpoint);
    in_flight.push_back(endpoint);
    if (in_flight.size() < concurrent) continue;
    states.ended(in_flight.front(), 0, 0);
    in_flight.erase(in_flight.begin());
  }
  std::vector<double> out;
  for (const size_t count : counts) out.push_back(static_cast<double>(count) / static_cast<double>(requests));
  return out;
}

}  // namespace

TEST_CASE("balancer: endpoints get their share by weight, whatever is in flight") {
  for (const auto kind : {Balance::kLeastRequest, Balance::kRoundRobin, Balance::kRandom}) {
    for (const std::vector<uint32_t>& weights : {std::vector<uint32_t>{1, 1, 2}, {1, 1, 1}, {5, 1, 4, 10}}) {
      for (const size_t concurrent : {1, 8, 64}) {
        INFO(nameOf(kind) << " " << weights.size() << " " << concurrent);
        const auto got = shares(kind, weights, 100'000, concurrent);
        uint32_t sum = 0;
        for (const uint32_t weight : weights) sum += weight;
        // With a few in flight, a whole request is much for a light endpoint.
        const bool coarse = kind == Balance::kLeastRequest && weights.size() == 4;
        for (size_t i = 0; i < weights.size(); ++i)
          CHECK(got[i] == Approx(static_cast<double>(weights[i]) / sum).epsilon(coarse ? 0.25 : 0.05));
      }
    }
  }
}

TEST_CASE("balancer: round_robin spreads evenly: a heavier endpoint is not taken several times in a row") {
  EndpointStates states(3, {}, nullptr);
  Balancer balancer({Balance::kRoundRobin}, members({1, 1, 2}), states);
  std::string order;
  for (int i = 0; i < 8; ++i) order += static_cast<char>('a' + balancer.next(0, std::nullopt));
  CHECK(order == "cabccabc");
}

TEST_CASE("balancer: least_request avoids an endpoint that is slow") {
  EndpointStates states(3, {}, nullptr);
  Balancer balancer({Balance::kLeastRequest}, members({1, 1, 1}), states);
  for (int i = 0; i < 100; ++i) states.began(0);  // they never end
  std::vector<size_t> counts(3, 0);
  for (int i = 0; i < 9000; ++i) ++counts[balancer.next(0, std::nullopt)];
  CHECK(counts[0] < 1200);  // only where it was drawn twice: one ninth
}

TEST_CASE("balancer: only usable endpoints are taken, and all where none is") {
  for (const auto kind : {Balance::kLeastRequest, Balance::kRoundRobin, Balance::kRandom, Balance::kRingHash}) {
    INFO(nameOf(kind));
    EndpointStates states(4, {}, nullptr);
    Balancer balancer({kind}, members({1, 1, 1, 100}), states);
    const auto seen = [&] {
      std::map<size_t, int> out;
      for (uint64_t i = 0; i < 4000; ++i) ++out[balancer.next(5, upstream::ringKey(std::to_string(i)))];
      return out;
    };
    CHECK(seen().size() == 4);
    states.unreachable(3, 0, "refused");
    states.unreachable(1, 0, "refused");
    CHECK(seen().size() == 2);
    CHECK(balancer.after(0, 5) == 2);
    CHECK(balancer.other(0, 5) == 2);
    states.unreachable(0, 0, "refused");
    states.unreachable(2, 0, "refused");
    CHECK(seen().size() >= 2);
    CHECK(balancer.after(0, 5) == 1);
    CHECK(balancer.other(0, 5) == 0);
    states.reached(2);
    CHECK(seen().size() == 1);
  }
}

TEST_CASE("ring: keys stay where they are when an endpoint leaves or comes, and share by weight") {
  const auto place = [](const std::vector<std::string>& names, const std::vector<uint32_t>& weights) {
    const upstream::Ring ring(names, weights);
    std::vector<std::string> out;
    for (int i = 0; i < 20'000; ++i)
      out.push_back(names[ring.at(upstream::ringKey("user-" + std::to_string(i)), [](size_t) { return true; })]);
    return out;
  };
  auto names = named(10);
  const auto before = place(names, std::vector<uint32_t>(10, 1));
  std::map<std::string, int> counts;
  for (const auto& name : before) ++counts[name];
  for (const auto& [name, count] : counts) CHECK(count == Approx(2000).epsilon(0.25));
  const std::string gone = names[4];
  names.erase(names.begin() + 4);
  const auto after = place(names, std::vector<uint32_t>(9, 1));
  int moved = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    ++moved;
    CHECK(before[i] == gone);  // no key of another endpoint moves
  }
  CHECK(moved == counts[gone]);
  const auto heavy = place({"a", "b"}, {1, 3});
  CHECK(std::count(heavy.begin(), heavy.end(), "b") == Approx(15'000).epsilon(0.1));
  // Nor where weights are large: only the keys that the new one takes over move.
  const auto eight = place(named(8), std::vector<uint32_t>(8, 100));
  const auto nine = place(named(9), std::vector<uint32_t>(9, 100));
  for (size_t i = 0; i < eight.size(); ++i) CHECK((eight[i] == nine[i] || nine[i] == named(9).back()));
}

TEST_CASE("endpoints: failures in a row eject for a growing time, never more than the limit, and one answer clears") {
  std::vector<std::string> told;
  const upstream::OutlierConfig config{3, base::Millis(1000), 50};
  EndpointStates states(4, config, [&](size_t endpoint, bool out, const std::string& why) {
    told.push_back(std::to_string(endpoint) + (out ? " out " : " back ") + why);
  });
  const auto fail = [&](size_t endpoint, int64_t now, int times, int64_t trial = 0) {
    for (int i = 0; i < times; ++i) states.failed(endpoint, now, "status 503", trial);
  };
  fail(0, 0, 2);
  states.succeeded(0, 0, 0);
  fail(0, 0, 2);
  CHECK(states.usable(0, 0));
  fail(0, 0, 1);
  CHECK_FALSE(states.usable(0, 999));
  CHECK(states.usable(0, 1000));
  CHECK(told == std::vector<std::string>{"0 out for 1s: 3 failures in a row, the last: status 503"});
  fail(1, 0, 3);
  fail(2, 0, 30);
  CHECK(states.usable(2, 0));                     // half of them are out already
  fail(0, 1000, 1, states.claim(0, 1000).trial);  // another chance, and it fails again
  CHECK_FALSE(states.usable(0, 2999));
  CHECK(states.usable(0, 3000));
  states.succeeded(0, 2500, 0);  // of a request from before: it is still out
  CHECK_FALSE(states.usable(0, 2999));
  CHECK(told.back() != "0 back it answers");
  states.succeeded(0, 3000, states.claim(0, 3000).trial);
  CHECK(told.back() == "0 back it answers");
  states.succeeded(0, 4100, 0);  // forgives one
  fail(0, 5000, 3);
  CHECK(states.usable(0, 7000));
  EndpointStates never(1, {0, base::Millis(1000), 100}, nullptr);
  for (int i = 0; i < 100; ++i) never.failed(0, 0, "x", 0);
  CHECK(never.usable(0, 0));
}
