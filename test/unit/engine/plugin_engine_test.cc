

#include "engine/plugin_engine.h"

#include <catch2/catch.hpp>

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "policy/policy_set.h"
#include "support/evaluators.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

Result<std::shared_ptr<const engine::PluginRuleSet>> load(const std::string& name, const std::string& settings) {
  const std::string path = std::string(YETT_PLUGINS) + "/" + name + ".so";
  return engine::PluginRuleSet::load(path, base::readFile(path, 64 << 20).value(), settings);
}

using Engines = std::vector<policy::LoadedEngine>;

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(Engines engines, size_t remembered = 0) {
  policy::EvaluatorOptions options;
  options.remembered_entries = remembered;
  return test::evaluatorOf(std::move(engines), options);
}

policy::LoadedEngine plugin(const std::string& name, const std::string& settings, bool veto = false) {
  auto rules = load(name, settings);
  INFO((rules.ok() ? "" : rules.error().message));
  REQUIRE(rules.ok());
  return {name, veto, rules.value()};
}

test::RequestText plain() {
  test::RequestText out;
  out.method = "GET";
  out.path = "/a";
  out.host = "h";
  out.source = "127.0.0.1";
  return out;
}

policy::Decision decide(policy::PolicyEvaluator& evaluator, const test::RequestText& text, int64_t time = 100) {
  test::OwnedRequest request(text);
  request.check.time_seconds = time;
  policy::AttributeReader reader;
  policy::Decision out;
  evaluator.decide(request.check, reader, out);
  return out;
}

}  // namespace

TEST_CASE("plugin: its answer is the decision; any failure denies") {
  struct Case {
    const char* settings;
    bool allow;
    const char* rule;
    const char* error;
  };
  for (const Case& c : {Case{"allow", true, "evaluate", ""}, Case{"deny", false, "evaluate", ""},
                        Case{"header", false, "default", ""}, Case{"fail", false, "error", "as it was told"},
                        Case{"throw", false, "error", "threw an exception"}, Case{"nonsense", false, "error", "failed"},
                        Case{"greedy", false, "error", "exceeded the read limits of a decision"}}) {
    INFO(c.settings);
    const auto evaluator = evaluatorOf({plugin("test_plugin_one", c.settings)});
    const auto d = decide(*evaluator, plain());
    CHECK(d.allow == c.allow);
    CHECK(d.rule == c.rule);
    CHECK(d.errors.find(c.error) != std::string::npos);
  }
  const auto long_text = decide(*evaluatorOf({plugin("test_plugin_one", "unended text")}), plain());
  CHECK_FALSE(long_text.allow);
  CHECK(long_text.rule.size() == 64);
  CHECK(long_text.status == 403);
}

TEST_CASE("plugin: two plugins stay distinct even if loaded one after the other") {
  // Regression: the loader mistook an object opened with the same descriptor number for the loaded one.
  const auto both = evaluatorOf({plugin("test_plugin_one", "allow"), plugin("test_plugin_two", "deny")});
  CHECK(decide(*both, plain()).policy == "two");
  for (int i = 0; i < 20; ++i) {
    const auto again = evaluatorOf({plugin(i % 2 == 0 ? "test_plugin_one" : "test_plugin_two", "deny")});
    CHECK(decide(*again, plain()).policy == (i % 2 == 0 ? "one" : "two"));
  }
}

TEST_CASE("plugin: a veto plugin cannot allow") {
  CHECK_FALSE(decide(*evaluatorOf({plugin("test_plugin_one", "allow", true)}), plain()).allow);
  CHECK(decide(*evaluatorOf({plugin("test_plugin_one", "allow"), plugin("test_plugin_two", "header", true)}), plain())
            .allow);
}

TEST_CASE("plugin: decisions of a pure one are remembered by what it read, but not if it read the time") {
  const auto evaluator = evaluatorOf({plugin("test_plugin_one", "header")}, 100);
  auto request = plain();
  request.headers = {{"x-a", "1"}};
  CHECK_FALSE(decide(*evaluator, request).cached);
  CHECK(decide(*evaluator, request).cached);
  CHECK(decide(*evaluator, request).allow);
  request.headers = {{"x-a", "2"}};
  CHECK_FALSE(decide(*evaluator, request).allow);
  request.headers.clear();
  CHECK(decide(*evaluator, request).rule == "default");
  const auto timed = evaluatorOf({plugin("test_plugin_two", "time")}, 100);
  CHECK(decide(*timed, request, 100).allow);
  CHECK_FALSE(decide(*timed, request, 101).allow);
  CHECK_FALSE(decide(*timed, request, 101).cached);
}

TEST_CASE("plugin: what is not a plugin, or does not start, is refused with a reason") {
  const auto why = [](const std::string& name, const std::string& settings) {
    return load(name, settings).error().message;
  };
  CHECK(why("test_plugin_one", "no instance").find("there is no instance") != std::string::npos);
  CHECK(why("test_plugin_one", "throws early").find("threw an exception") != std::string::npos);
  CHECK(why("test_plugin_future", "").find("implements version 2") != std::string::npos);
  CHECK(why("cidr_list", "10.0.0.0/8\n10.0.0.1.2\n").find("line 2: `10.0.0.1.2` is not an address range") !=
        std::string::npos);
  CHECK(why("cidr_list", "# nothing\n").find("the list is empty") != std::string::npos);
  CHECK(why("signed_header", "k short\n").find("line 1:") != std::string::npos);
  CHECK(engine::PluginRuleSet::load("x.so", "not an object", "").error().message.find("cannot be loaded") !=
        std::string::npos);
}

TEST_CASE("plugin: cidr_list denies only what is on its list") {
  const auto evaluator = evaluatorOf({plugin("test_plugin_one", "allow"),
                                      plugin("cidr_list", "10.0.0.0/8  inside\n2001:db8::/33\n192.168.0.7\n", true)});
  const auto from = [&](const std::string& source) {
    auto request = plain();
    request.source = source;
    return decide(*evaluator, request);
  };
  CHECK(from("127.0.0.1").allow);
  CHECK_FALSE(from("10.255.0.1").allow);
  CHECK(from("10.255.0.1").reason == "inside");
  CHECK_FALSE(from("::ffff:10.0.0.1").allow);
  CHECK(from("11.0.0.1").allow);
  CHECK_FALSE(from("2001:db8:7fff::1").allow);
  CHECK(from("2001:db8:8000::1").allow);
  CHECK_FALSE(from("192.168.0.7").allow);
  CHECK(from("192.168.0.8").allow);
}

TEST_CASE("plugin: signed_header requires a fresh signature of exactly this request") {
  const std::string secret(40, 's');
  const auto evaluator = evaluatorOf(
      {plugin("test_plugin_one", "allow"), plugin("signed_header", "k1 " + secret + "\nmax_age 60\n", true)});
  const auto signedAt = [&](int64_t time, const std::string& path) {
    const std::string message = "GET\nh\n" + path + "\n" + std::to_string(time);
    return "k1:" + std::to_string(time) + ":" + base::hex(base::view(base::hmacSha256(secret, message)));
  };
  const auto ask = [&](std::vector<std::string> signatures) {
    auto request = plain();
    for (auto& s : signatures) request.headers.emplace_back("x-signature", std::move(s));
    return decide(*evaluator, request, 1000);
  };
  CHECK(ask({signedAt(1000, "/a")}).allow);
  CHECK(ask({signedAt(950, "/a")}).allow);
  CHECK(ask({signedAt(900, "/a")}).rule == "stale");
  CHECK(ask({signedAt(2000, "/a")}).rule == "stale");
  CHECK(ask({signedAt(1000, "/b")}).rule == "forged");
  CHECK(ask({}).rule == "unsigned");
  CHECK(ask({}).status == 401);
  CHECK(ask({signedAt(1000, "/a"), signedAt(1000, "/a")}).rule == "unsigned");
  CHECK(ask({"k1:1000:"}).rule == "forged");
  CHECK(ask({"nonsense"}).rule == "unsigned");
}

TEST_CASE("plugin: while the body is awaited, a stateful one is not called, and its answer is unknown") {
  auto evaluator = evaluatorOf({plugin("test_plugin_state", "deny")});
  test::OwnedRequest request(plain());
  policy::AttributeReader reader;
  policy::Decision out;
  policy::Body body{.awaited = true};
  request.check.body = &body;
  evaluator->decide(request.check, reader, out);
  CHECK(out.allow);  // the decision waits for the body
  CHECK(reader.unknownReads() > 0);
  body = {.complete = true};
  evaluator->decide(request.check, reader, out);
  CHECK_FALSE(out.allow);
}

TEST_CASE("plugin: its answer without the body is not remembered for requests with one") {
  for (const size_t remembered : {size_t{0}, size_t{100}}) {
    auto evaluator = evaluatorOf({plugin("test_plugin_one", "body")}, remembered);
    test::RequestText text = plain();
    text.headers = {{"content-type", "application/json"}};
    test::OwnedRequest request(text);
    policy::AttributeReader reader;
    policy::Decision out;
    for (int round = 0; round < 3; ++round) {
      policy::Body body{.awaited = true};
      request.check.body = &body;
      evaluator->decide(request.check, reader, out);
      CHECK(out.allow);
      CHECK(reader.unknownReads() > 0);
      body = {.complete = true, .bytes = "{\"ok\":false}"};
      evaluator->decide(request.check, reader, out);
      CHECK_FALSE(out.allow);
      body = {.complete = true, .bytes = "{\"ok\":true}"};
      evaluator->decide(request.check, reader, out);
      CHECK(out.allow);
    }
  }
}
