// Endpoints that come, go and stay; what several loops share about them.
#include "upstream/endpoint.h"

#include <catch2/catch.hpp>

#include "upstream/balancer.h"
#include "upstream/endpoint_states.h"
#include "upstream/resolver.h"

using namespace yett;
using upstream::EndpointSet;
using upstream::EndpointStates;

namespace {

std::vector<upstream::ResolvedAddress> addresses(const std::vector<std::string>& hosts) {
  std::vector<upstream::ResolvedAddress> out;
  for (const auto& host : hosts) out.push_back({Poco::Net::SocketAddress(host + ":80"), {}, "app.test", 1});
  return out;
}

}  // namespace

TEST_CASE("endpoints: addresses, names and services are told apart without asking DNS") {
  using Kind = upstream::EndpointTarget::Kind;
  for (const auto& [text, kind] : std::vector<std::pair<std::string, Kind>>{{"10.0.0.1:80", Kind::kAddress},
                                                                            {"[::1]:80", Kind::kAddress},
                                                                            {"unix:///a", Kind::kAddress},
                                                                            {"app.test:80", Kind::kName},
                                                                            {"dns:app.test:80", Kind::kName},
                                                                            {"dns:10.0.0.1:80", Kind::kAddress},
                                                                            {"srv:_http._tcp.app", Kind::kService}}) {
    INFO(text);
    REQUIRE(upstream::parseTarget(text));
    CHECK(upstream::parseTarget(text).value().kind == kind);
  }
  CHECK_FALSE(upstream::parseTarget("app.test"));
  CHECK_FALSE(upstream::parseTarget("app.test:0"));
}

TEST_CASE("endpoints: a change keeps the objects of those that stay, and their health") {
  const std::vector<upstream::EndpointConfig> configs = {{"dns:app.test:80"}, {"10.9.9.9:80", 2}};
  const auto set = EndpointSet::create(configs, nullptr).value();
  CHECK(set->now()->size() == 1);
  CHECK(set->waits());
  const auto version = set->version();
  CHECK(set->resolved(0, addresses({"10.0.0.1", "10.0.0.2"})));
  CHECK(set->version() > version);
  CHECK_FALSE(set->waits());
  CHECK_FALSE(set->resolved(0, addresses({"10.0.0.2", "10.0.0.1"})));  // only shuffled
  const auto before = set->now();
  REQUIRE(before->size() == 3);
  CHECK((*before)[0]->name == "app.test:80 (10.0.0.1:80)");
  CHECK(set->resolved(0, addresses({"10.0.0.2", "10.0.0.3"})));
  const auto after = set->now();
  CHECK((*after)[0] == (*before)[1]);
  CHECK((*after)[2] == (*before)[2]);
  CHECK((*after)[1]->health != (*before)[0]->health);
  set->failed(0, "there is no such name");
  CHECK(set->now() == after);
  CHECK(set->problem().empty());  // it still has addresses

  // A reload with another weight is another endpoint with the same health; names keep their addresses.
  const auto next = EndpointSet::create({{"10.9.9.9:80", 5}, {"dns:app.test:80"}}, set.get()).value();
  REQUIRE(next->now()->size() == 3);
  CHECK((*next->now())[0] != (*after)[2]);
  CHECK((*next->now())[0]->health == (*after)[2]->health);
  CHECK((*next->now())[1] == (*after)[0]);
}

TEST_CASE("endpoints: loops share failures, and one request at a time tries an ejected endpoint") {
  const auto set = EndpointSet::create({{"10.0.0.1:80"}, {"10.0.0.2:80"}}, nullptr).value();
  const upstream::OutlierConfig config{4, base::Millis(1000), 50};
  EndpointStates one(0, config, nullptr);
  int64_t trial = 0;
  EndpointStates two(0, config, nullptr);
  for (auto* states : {&one, &two}) states->adopt(*set->now(), {SIZE_MAX, SIZE_MAX});
  for (int i = 0; i < 2; ++i) {
    one.failed(0, 0, "x", 0);
    two.failed(0, 0, "x", 0);
  }
  CHECK_FALSE(one.usable(0, 500));
  CHECK_FALSE(two.usable(0, 500));
  CHECK(one.usable(0, 1000));
  trial = one.claim(0, 1000).trial;
  CHECK(trial == 1000 + 10'000);
  one.began(0);
  CHECK(two.claim(0, 1001).taken);
  CHECK_FALSE(two.usable(0, 1001));
  one.ended(0, 1001, trial);  // given up: it has shown nothing
  trial = two.claim(0, 1002).trial;
  CHECK(trial == 1002 + 10'000);
  two.disclaim(0, trial);  // its request was not sent
  CHECK(one.usable(0, 1002));
  trial = two.claim(0, 1002).trial;
  CHECK(trial == 1002 + 10'000);
  two.began(0);
  one.began(0);  // one that another request began before the ejection says nothing
  one.succeeded(0, 1003, 0);
  one.failed(0, 1003, "x", 0);
  one.ended(0, 1003, 0);
  CHECK(one.claim(0, 1003).taken);
  two.succeeded(0, 1003, trial);
  two.ended(0, 1003, trial);
  CHECK(one.claim(0, 1004) == EndpointStates::Claim{});
  CHECK(two.claim(0, 1004) == EndpointStates::Claim{});
  // Broken answers: only a whole one ends the trial.
  for (int i = 0; i < 4; ++i) one.brokeOff(0, 5000, "x", 0);
  CHECK_FALSE(two.usable(0, 5001));
  trial = two.claim(0, 7000).trial;
  CHECK(trial == 7000 + 10'000);
  two.began(0);
  two.succeeded(0, 7001, trial);
  CHECK(one.claim(0, 7002).taken);
  two.completed(0, 7003, trial);
  two.ended(0, 7003, trial);
  CHECK(one.claim(0, 7004) == EndpointStates::Claim{});
}

TEST_CASE("endpoints: a stream proves an endpoint that broke answers off, though nobody waits for its end") {
  const auto set = EndpointSet::create({{"10.0.0.1:80"}, {"10.0.0.2:80"}}, nullptr).value();
  EndpointStates states(0, {2, base::Millis(1000), 50}, nullptr);
  int64_t trial = 0;
  states.adopt(*set->now(), {SIZE_MAX, SIZE_MAX});
  const auto eject = [&](int64_t now) {
    states.brokeOff(0, now, "x", 0);
    states.brokeOff(0, now, "x", 0);
    REQUIRE_FALSE(states.usable(0, now + 1));
  };
  eject(0);
  trial = states.claim(0, 1000).trial;
  CHECK(trial == 1000 + 10'000);
  states.began(0);
  states.succeeded(0, 1001, trial);
  CHECK(states.claim(0, 5000).taken);
  states.ended(0, 6000, trial);  // its caller has seen enough
  CHECK(states.claim(0, 6001) == EndpointStates::Claim{});
  eject(10'000);
  trial = states.claim(0, 13'000).trial;
  CHECK(trial == 13'000 + 10'000);
  states.began(0);
  states.succeeded(0, 13'001, trial);
  CHECK(states.claim(0, 22'999).taken);
  CHECK(states.claim(0, 23'000) == EndpointStates::Claim{});  // it has lasted ten seconds
  // At the limit nothing is ejected, and nothing is remembered of why.
  EndpointStates alone(1, {2, base::Millis(1000), 50}, nullptr);
  for (int i = 0; i < 9; ++i) alone.brokeOff(0, 0, "x", 0);
  CHECK(alone.usable(0, 0));
}

TEST_CASE("endpoints: an unreachable one rests longer each time, and one connection at a time tries it") {
  EndpointStates states(2, {0, base::Millis(1000), 50}, nullptr);
  int64_t now = 0;
  for (const int64_t rest : {500, 1000, 2000, 4000, 8000, 10'000, 10'000}) {
    states.unreachable(0, now, "refused");
    CHECK_FALSE(states.reachable(0, now + rest - 1));
    CHECK(states.reachable(0, now + rest));
    now += rest;
  }
  states.trying(0, now, 300);
  CHECK_FALSE(states.reachable(0, now + 299));
  states.reached(0);
  CHECK(states.reachable(0, now));
  states.trying(0, now, 300);  // it is known to be there: others may try too
  CHECK(states.reachable(0, now));
  states.doubt(0);
  CHECK_FALSE(states.reachable(0, now));
  states.endDoubt(0);
  CHECK(states.reachable(0, now));
}

TEST_CASE("balancer: panic, zones and slow start change the shares") {
  using upstream::Balance;
  using upstream::Balancer;
  const auto set =
      EndpointSet::create({{"10.0.0.1:80"}, {"10.0.0.2:80"}, {"10.0.0.3:80"}, {"10.0.0.4:80"}}, nullptr).value();
  EndpointStates states(0, {}, nullptr);
  states.adopt(*set->now(), std::vector<size_t>(4, SIZE_MAX));
  const auto shares = [&](Balancer& balancer, int64_t now) {
    std::vector<int> out(4, 0);
    for (int i = 0; i < 10'000; ++i) ++out[balancer.next(now, std::nullopt)];
    return out;
  };
  std::vector<std::string> told;
  Balancer near({Balance::kRandom, 30, base::Millis(0), true},
                {{"a", 1, true}, {"b", 1, true}, {"c", 1, false}, {"d", 1, false}}, states,
                [&](bool begins, size_t healthy, size_t all) {
                  told.push_back((begins ? "panic " : "over ") + std::to_string(healthy) + "/" + std::to_string(all));
                });
  auto got = shares(near, 0);
  CHECK(got[2] + got[3] == 0);
  set->now()->at(0)->health->healthy = false;
  got = shares(near, 100);  // half of the zone is left: it keeps 70 %
  CHECK(got[0] == 0);
  CHECK(got[1] == Approx(7000).epsilon(0.05));
  CHECK(told.empty());
  for (const size_t i : {1, 2}) set->now()->at(i)->health->healthy = false;
  got = shares(near, 200);  // one of four: all are used again
  CHECK(told == std::vector<std::string>{"panic 1/4"});
  CHECK(got[0] > 4000);
  for (const auto& endpoint : *set->now()) endpoint->health->healthy = true;
  shares(near, 300);
  CHECK(told.back() == "over 4/4");

  Balancer warming({Balance::kRandom, 30, base::Millis(1000), false}, {{"a"}, {"b"}, {"c"}, {"d"}}, states);
  set->now()->at(3)->health->healthy = false;
  shares(warming, 1000);
  set->now()->at(3)->health->healthy = true;
  CHECK(shares(warming, 1100)[3] == Approx(10'000 * 0.1 / 3.1).epsilon(0.2));
  CHECK(shares(warming, 1600)[3] == Approx(10'000 * 0.5 / 3.5).epsilon(0.1));
  CHECK(shares(warming, 2200)[3] == Approx(2500).epsilon(0.1));
}

TEST_CASE("resolver: servers are addresses, with a port if one is given") {
  for (const auto& [text, wanted] :
       std::vector<std::pair<std::string, std::string>>{{"10.0.0.10", "10.0.0.10:53"},
                                                        {"10.0.0.10:5353", "10.0.0.10:5353"},
                                                        {"[fd00::10]:5353", "[fd00::10]:5353"},
                                                        {"[fd00::10]", "[fd00::10]:53"},
                                                        {"fd00::10", "[fd00::10]:53"}})
    CHECK(upstream::serverAddress(text).value() == wanted);
  for (const char* text : {"localhost", "10.0.0.10:", "10.0.0.10:0", "[10.0.0.10]:53", "::1:x"})
    CHECK_FALSE(upstream::serverAddress(text));
}
