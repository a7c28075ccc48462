#include "memory/exact_memory.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

#include "lua/engine.h"
#include "policy/policy_set.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

const char* pick(test::Random& random, const std::vector<const char*>& of) {
  return of[random() % of.size()];
}

// A random condition of a few statements over the attributes of requests: reads that depend on reads, absent values,
// lists, loops, errors, work close to the budget.
std::string randomCondition(test::Random& random, int depth = 0) {
  static const std::vector<const char*> kTests = {"r.header['x-a'] == '1'",
                                                  "has(r.header, 'x-b')",
                                                  "optional(r.header, 'x-a', '2') == '2'",
                                                  "#r:headers('x-a') == 2",
                                                  "r:headers('x-b')[1] == '1'",
                                                  "r.method == 'GET'",
                                                  "r.path:find('orders', 1, true) ~= nil",
                                                  "optional(r.query, 'k', 'none') == 'v'",
                                                  "r.principal.kind == 'anonymous'",
                                                  "optional(r.principal, 'path', '/') == '/ns/a/sa/x'",
                                                  "r.source.ip == '10.0.0.1'",
                                                  "r.time % 2 == 0",
                                                  "work(#r.path * 400) > 0",
                                                  "waste(#r.path * 9000) > 0",
                                                  "roles[r.method] == 'reader'",
                                                  "has(roles, r.method)",
                                                  "r.header[optional(r.header, 'x-b', 'x-a')] == '1'",
                                                  "('x' .. r.host):upper():match('EXAMPLE') ~= nil",
                                                  "ids:matches(optional(r.principal, 'id', ''))",
                                                  "sorted(#r.path) ~= 'x'",
                                                  "keyed(r.path, r.host, r.method) > 0",
                                                  "json.decode('[1,' .. r.header['x-a'] .. ']')[2] == 1",
                                                  "json.decode(('[' .. ('1,'):rep(#r.path * 20) .. '1]'))[1] == 1",
                                                  "base64.decode('MQ==') == r.header['x-a']",
                                                  "base64url.decode(r.host:sub(1, 4)) ~= ''",
                                                  "r.body.complete"};
  std::string out;
  const size_t kind = random() % 10;
  if (kind < 3 && depth < 3) {
    out = "if " + std::string(pick(random, kTests)) + " then " + randomCondition(random, depth + 1) + " end ";
    return out + randomCondition(random, depth + 1);
  }
  if (kind == 3) return "return not (" + std::string(pick(random, kTests)) + "), 'said ' .. r.method ";
  if (kind == 4)
    return std::string("if pcall(function() return ") + pick(random, kTests) +
           " end) then return true end return false ";
  return "do return " + std::string(pick(random, kTests)) + (random() % 2 != 0 ? " and " : " or ") +
         pick(random, kTests) + " end ";
}

std::string randomPolicy(test::Random& random) {
  std::string out =
      "local roles = data 'roles.json'\nlocal ids = re 'spiffe://example.org/.*'\n"
      "local function work(n) local s = 0 for i = 1, n do s = s + i end return s end\n"
      "local function waste(n) local t = {} for i = 1, n // 16 do t[i] = i end return #t + 1 end\n"
      "local function sorted(n) local t = {} for i = 1, 120 + n do t[i] = { i % 3, i } end table.sort(t, function(a, "
      "b) "
      "return a[1] < b[1] end) return t[1][2] .. '.' .. t[60][2] .. '.' .. t[100][2] end\n"
      "local function keyed(...) local t = {} for i, k in ipairs({ ... }) do for j = 1, 40 do t[k .. j] = { i } end "
      "for j "
      "= 1, 39 do t[k .. j] = nil end end local n = 0 for k in pairs(t) do n = n + #k end return n end\n"
      "policy 'p' {\n";
  for (int i = 0; i < 6; ++i) {
    const std::string name = "'r" + std::to_string(i) + "'";
    const size_t kind = random() % 8;
    if (kind == 0) {
      out += "decide(" + name + ", function(r) if " + "has(r.header, 'x-a')" +
             " then return permit('p') end if r.method == 'PUT' then return refuse('no', 'not you') end end),\n";
      continue;
    }
    const std::string fields = random() % 3 == 0 ? "path = '/a/**', " : random() % 3 == 0 ? "path = '/{s}/**', " : "";
    static const std::vector<const char*> kHeaders = {"r.header['x-a']",
                                                      "r.method .. r.path",
                                                      "tostring(r.time)",
                                                      "('x'):rep(#r.path * 900)",
                                                      "'a\\r\\nb' .. r.host",
                                                      "roles[r.method]",
                                                      "r.params.s",
                                                      "optional(r.header, 'x-b', 'none')",
                                                      "tostring(work(#r.path * 400))"};
    std::string headers;
    if (kind >= 4 && random() % 2 == 0)
      headers =
          "set_header = { ['x-s'] = function(r) return " + std::string(pick(random, kHeaders)) + " end, ['x-t'] = " +
          (random() % 2 == 0 ? "'t'" : "function(r) return " + std::string(pick(random, kHeaders)) + " end") + " }, ";
    out += (kind < 4 ? "deny " : "allow ") + name + " { principal = anyone, " + fields + headers +
           (random() % 6 == 0 ? "ttl = '2s', " : "") + "when = function(r) " + randomCondition(random) + " end },\n";
  }
  return out + "allow 'z' { principal = authenticated } }";
}

struct Rows {
  std::map<std::string, std::string> kept;
  std::shared_ptr<policy::RememberedStore> store = std::make_shared<policy::RememberedStore>();
  Rows() {
    store->load = [this](std::string_view, const auto& each) {
      for (const auto& [key, value] : kept) each(key, value);
    };
    store->keep = [this](std::string_view, std::string_view key, std::string_view value) {
      kept[std::string(key)] = value;
    };
  }
};

std::shared_ptr<const policy::PolicySet> setOf(const std::string& text, policy::Budget budget) {
  policy::PolicySource source;
  source.files["p.lua"] = text;
  source.files["roles.json"] = R"({"GET": "reader", "POST": "writer"})";
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(source, problems);
  INFO(text << (problems.empty() ? "" : problems[0]));
  REQUIRE(rules != nullptr);
  return std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, rules}}, budget);
}

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::shared_ptr<const policy::PolicySet>& set,
                                                     size_t entries, Rows* rows, base::Metrics* metrics = nullptr) {
  policy::EvaluatorOptions options;
  options.remembered_entries = entries;
  if (rows != nullptr) options.remembered = rows->store;
  options.metrics = metrics;
  options.most_spent = 0;  // it depends on earlier decisions
  return policy::PolicyEvaluator::create(set, options).value();
}

struct Seen {
  std::string text;
  bool cached;
};

// Everything that a record or a response shows of a decision, except the time it took.
Seen decide(policy::PolicyEvaluator& evaluator, const test::RequestText& text, int64_t time) {
  test::OwnedRequest request(text);
  request.check.time_seconds = time;
  policy::AttributeReader reader;
  policy::Decision d;
  evaluator.decide(request.check, reader, d);
  std::string sets;
  for (size_t i = 0; d.allow && d.obligations != nullptr && i < d.obligations->set_headers.size(); ++i)
    sets += d.obligations->set_headers[i].first + "=" + d.obligations->set_headers[i].second + ";";
  return {sets + std::string(d.allow ? "allow " : "deny ") + std::string(d.policy) + "/" + std::string(d.rule) + " " +
              d.reason + " " + d.public_reason + " " + d.errors + " " + reader.readsJson(policy::Recording::plain()),
          d.cached};
}

}  // namespace

TEST_CASE("exact memory: decisions are the same with it on, off, small, after a restart and on other workers") {
  const char* wanted = std::getenv("YETT_TEST_PROPERTY");
  const size_t requests = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) / 10 : 6'000;
  test::Random random(99);
  size_t remembered = 0;
  size_t spent = 0;
  for (size_t done = 0; done < requests;) {
    const std::string text = randomPolicy(random);
    // Tight budgets, so that many runs end close to them.
    const auto set = setOf(text, {4'000 + random() % 12'000, 20'000 + random() % 200'000});
    Rows rows;
    const auto off = evaluatorOf(set, 0, nullptr), on = evaluatorOf(set, 10'000, &rows),
               small = evaluatorOf(set, 8, nullptr);
    std::vector<test::RequestText> some;
    for (int i = 0; i < 25; ++i) some.push_back(test::randomRequest(random));
    auto restarted = evaluatorOf(set, 10'000, &rows);
    for (int i = 0; i < 300; ++i, ++done) {
      const auto& request = some[random() % some.size()];
      // Each request gets its own second: a rule with a ttl that reads the time may differ by design.
      const bool timed = text.find("ttl") != std::string::npos && text.find("r.time") != std::string::npos;
      const int64_t time = 1'800'000'000 + (timed ? i * 10 : i / 7);
      const Seen fresh = decide(*off, request, time);
      if (i == 150) restarted = evaluatorOf(set, 10'000, &rows);
      INFO(text << "\n" << request.method << " " << request.path << " " << request.principal);
      for (auto* other : {on.get(), small.get(), restarted.get()}) {
        const Seen seen = decide(*other, request, time);
        // The backstop uses the clock, so a machine that stalls for 20 ms may end any run.
        const auto late = [](const Seen& s) { return s.text.find("time limit") != std::string::npos; };
        if (late(seen) || late(fresh)) continue;
        REQUIRE(seen.text == fresh.text);
        remembered += seen.cached ? 1 : 0;
      }
      spent += fresh.text.find("budget") != std::string::npos ? 1 : 0;
    }
  }
  CHECK(remembered > requests / 4);
  CHECK(spent > requests / 200);
  WARN(requests << " decisions, " << remembered << " remembered by one of three, " << spent << " over budget");
}

TEST_CASE("exact memory: decisions that read the time are remembered only for the ttl") {
  const auto set = setOf(
      "policy 'p' { allow 'a' { principal = anyone, path = '/a', when = function(r) return r.time > 5 end }, allow 'b' "
      "{ "
      "principal = anyone, path = '/b', ttl = '3s', when = function(r) return r.time > 5 end } }",
      {});
  base::Metrics metrics;
  const auto evaluator = evaluatorOf(set, 100, nullptr, &metrics);
  test::RequestText request;
  request.method = "GET";
  request.host = "h";
  request.source = "127.0.0.1";
  request.path = "/a";
  CHECK_FALSE(decide(*evaluator, request, 10).cached);
  CHECK_FALSE(decide(*evaluator, request, 10).cached);
  request.path = "/b";
  CHECK_FALSE(decide(*evaluator, request, 10).cached);
  CHECK(decide(*evaluator, request, 12).cached);
  CHECK_FALSE(decide(*evaluator, request, 13).cached);
  CHECK(metrics.text().find("yett_remembered_uncacheable_total{policy=\"p\"} 2") != std::string::npos);
  CHECK(metrics.text().find("yett_remembered_hits_total{policy=\"p\"} 1") != std::string::npos);
}

TEST_CASE("exact memory: it is bounded, and names chosen by clients do not fill it") {
  const auto set = setOf(
      "policy 'p' { allow 'a' { principal = anyone, when = function(r) return has(r.header, r.query.k) end } }", {});
  base::Metrics metrics;
  const auto evaluator = evaluatorOf(set, 50, nullptr, &metrics);
  test::RequestText request;
  request.method = "GET";
  request.path = "/";
  request.host = "h";
  request.source = "127.0.0.1";
  for (int i = 0; i < 500; ++i) {
    request.query = "k=x" + std::to_string(i);
    CHECK_FALSE(decide(*evaluator, request, 10).cached);
  }
  CHECK(metrics.text().find("yett_remembered_uncacheable_total{policy=\"p\"} 492") != std::string::npos);
}
