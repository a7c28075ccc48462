// The cost of a decision in nanoseconds, as a table; with --check, exits with 1 if a bound is exceeded.
// Random hits over all rules, not one hot path. The best of several rounds.
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/json_engine.h"
#include "lua/engine.h"
#include "policy/policy_set.h"

using namespace yett;

namespace {

bool failed = false;
bool checking = false;

void report(const char* what, double nanos, double bound) {
  const bool bad = bound > 0 && nanos > bound;
  std::printf("  %-62s %9.0f ns", what, nanos);
  if (bound > 0) std::printf("  (at most %.0f)%s", bound, bad ? "  OVER" : "");
  std::printf("\n");
  failed = failed || bad;
}

/// The time of one call in the best of several rounds: slower rounds measure noise of the machine.
template <typename Call>
double measure(size_t calls, Call call) {
  std::vector<double> rounds;
  for (int round = 0; round < 15; ++round) {
    const int64_t began = base::steadyNanos();
    for (size_t i = 0; i < calls; ++i) call(i);
    rounds.push_back(static_cast<double>(base::steadyNanos() - began) / static_cast<double>(calls));
  }
  return *std::min_element(rounds.begin(), rounds.end());
}

size_t residentKb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmRSS:") {
      size_t kb = 0;
      status >> kb;
      return kb;
    }
  }
  return 0;
}

std::shared_ptr<const policy::PolicySet> setOf(std::shared_ptr<const policy::RuleSet> rules,
                                               policy::Budget budget = {}) {
  return std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, std::move(rules)}},
                                                   budget);
}

std::shared_ptr<const lua::LuaRuleSet> loadLua(const std::string& text) {
  policy::PolicySource source;
  source.files["p.lua"] = text;
  std::vector<std::string> problems;
  auto out = lua::LuaRuleSet::load(std::move(source), problems);
  if (!out) {
    std::fprintf(stderr, "%s\n", problems.front().c_str());
    std::exit(2);
  }
  return out;
}

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::shared_ptr<const policy::PolicySet>& set,
                                                     size_t remembered = 0) {
  policy::EvaluatorOptions options;
  options.remembered_entries = remembered;
  options.most_spent = 0;
  return policy::PolicyEvaluator::create(set, options).value();
}

/// A request such as services send: a dozen headers.
struct Request {
  std::string method = "GET", path, host = "orders.example.org", query = "page=2";
  identity::Principal principal;
  std::vector<policy::Header> headers = {{"user-agent", "bench/1.0"},          {"accept", "application/json"},
                                         {"accept-encoding", "gzip"},          {"x-region", "eu"},
                                         {"x-request-id", "0123456789abcdef"}, {"content-type", "application/json"}};
  policy::CheckRequest check;
  Request(std::string p, const std::string& service) : path(std::move(p)) {
    principal.kind = identity::Principal::Kind::kX509Svid;
    principal.trust_domain = "example.org";
    principal.path = "/ns/shop/sa/" + service;
    principal.id = "spiffe://example.org" + principal.path;
    check.method = method;
    check.scheme = "https";
    check.host = host;
    check.path = path;
    check.raw_path = path;
    check.protocol = "HTTP/1.1";
    check.query = query;
    check.headers = headers;
    check.principal = &principal;
    check.source = target::IpAddress::parse("10.1.2.3").value();
    check.time_seconds = 1'800'000'000;
  }
  Request(const Request&) = delete;
};

std::string manyRules(size_t count, const std::string& extra = "") {
  std::string out = "policy 'bench' {\n";
  for (size_t i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    const char* shape = i % 3 == 0 ? "/{id}" : i % 3 == 1 ? "/**" : "";
    out += "allow 'r" + n + "' { principal = 'spiffe://example.org/ns/shop/sa/s" + std::to_string(i % 97) +
           "', method = 'GET', path = '/api/svc" + n + "/items" + shape + "'" + extra + " },\n";
  }
  return out + "}\n";
}

void nativeMatch(size_t count) {
  const auto set = setOf(loadLua(manyRules(count)));
  const auto evaluator = evaluatorOf(set);
  // A request has just been read when it is decided: its data is in cache, the data of the rules is not.
  std::vector<std::unique_ptr<Request>> callers;
  for (int i = 0; i < 97; ++i) callers.push_back(std::make_unique<Request>("/", "s" + std::to_string(i)));
  policy::CheckRequest request = callers[0]->check;
  std::string path;
  uint64_t state = 1;
  const auto ask = [&]() -> const policy::CheckRequest& {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const size_t n = (state >> 33) % count;
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
    path.assign("/api/svc").append(digits, end).append("/items");
    if (n % 3 != 2) path += "/42";
    request.principal = &callers[n % 97]->principal;
    request.path = path;
    return request;
  };
  policy::AttributeReader reader;
  policy::Decision decision;
  for (int i = 0; i < 20'000; ++i) {
    evaluator->decide(ask(), reader, decision);
    if (!decision.allow) std::fprintf(stderr, "wrong: %s is denied\n", path.c_str()), std::exit(2);
  }
  const double nanos = measure(50'000, [&](size_t) { evaluator->decide(ask(), reader, decision); });
  report(("native match among " + std::to_string(count) + " rules").c_str(), nanos, 400);
}

constexpr const char* kFiveLines =
    "policy 'p' { allow 'a' { principal = authenticated, path = '/orders/{id}', when = function(r)\n"
    "  local region = r.header['x-region']\n"
    "  if r.principal.path:sub(1, 9) ~= '/ns/shop/' then return false end\n"
    "  if optional(r.query, 'page', '1') == '0' then return false end\n"
    "  return region == 'eu' and #r.params.id < 10, 'wrong region'\n"
    "end } }";

void conditions() {
  const auto set = setOf(loadLua(kFiveLines));
  const Request request("/orders/42", "web");
  policy::AttributeReader reader;
  policy::Decision decision;
  const auto fresh = evaluatorOf(set);
  fresh->decide(request.check, reader, decision);
  if (!decision.allow) std::fprintf(stderr, "wrong: %s\n", decision.errors.c_str()), std::exit(2);
  report("fresh `when` of five lines", measure(40'000, [&](size_t) { fresh->decide(request.check, reader, decision); }),
         2000);
  const auto remembered = evaluatorOf(set, 100'000);
  remembered->decide(request.check, reader, decision);
  report("remembered `when`", measure(40'000, [&](size_t) { remembered->decide(request.check, reader, decision); }),
         300);
  std::vector<std::unique_ptr<Request>> many;
  for (int i = 0; i < 20'000; ++i) many.push_back(std::make_unique<Request>("/orders/" + std::to_string(i), "web"));
  for (const auto& r : many) remembered->decide(r->check, reader, decision);
  report("remembered `when`, 20,000 different requests",
         measure(40'000, [&](size_t i) { remembered->decide(many[i * 7919 % 20'000]->check, reader, decision); }), 0);
  if (!decision.cached) std::fprintf(stderr, "wrong: not remembered\n"), std::exit(2);
}

// A typical API body: 1 KiB of JSON, of which a condition reads three values.
std::string orderJson() {
  std::string out =
      R"({"order":{"id":4711,"region":"eu","customer":{"name":"Ada","tier":"gold"},"total":99.5},"items":[)";
  for (int i = 0; out.size() < 980; ++i)
    out +=
        (i > 0 ? "," : "") + std::string(R"({"sku":"A-)") + std::to_string(1000 + i) + R"(","count":2,"price":12.25})";
  return out + R"(],"roles":["user","buyer"]})";
}

constexpr const char* kReadsBody =
    "policy 'p' { allow 'a' { principal = authenticated, method = 'GET', when = function(r)\n"
    "  local body = r.body.json\n"
    "  if body.order.region ~= 'eu' then return false end\n"
    "  for _, role in ipairs(body.roles) do if role == 'admin' then return false end end\n"
    "  return body.order.customer.tier == 'gold'\n"
    "end } }";

void bodies() {
  const auto set = setOf(loadLua(kReadsBody));
  Request request("/orders", "web");
  const std::string json = orderJson();
  policy::Body body;
  body.complete = true;
  body.bytes = json;
  request.check.body = &body;
  policy::AttributeReader reader;
  policy::Decision decision;
  const auto fresh = evaluatorOf(set);
  fresh->decide(request.check, reader, decision);
  if (!decision.allow) std::fprintf(stderr, "wrong: %s\n", decision.errors.c_str()), std::exit(2);
  report("fresh `when` that reads 1 KiB of JSON",
         measure(10'000, [&](size_t) { fresh->decide(request.check, reader, decision); }), 0);
  const auto remembered = evaluatorOf(set, 100'000);
  remembered->decide(request.check, reader, decision);
  report("remembered `when` that reads 1 KiB of JSON",
         measure(10'000, [&](size_t) { remembered->decide(request.check, reader, decision); }), 0);
}

void rememberedOnly() {
  const auto evaluator = evaluatorOf(setOf(loadLua(kFiveLines)), 1000);
  const Request request("/orders/42", "web");
  policy::AttributeReader reader;
  policy::Decision decision;
  for (int i = 0; i < 10; ++i)
    report("remembered `when`", measure(1'000'000, [&](size_t) { evaluator->decide(request.check, reader, decision); }),
           300);
}

void worstShapes() {
  std::printf("worst cases (linear where docs/policy.md says so):\n");
  const auto time = [](const char* what, const std::string& text, const std::string& path, size_t calls,
                       policy::Budget budget = {}) {
    const auto set = setOf(loadLua(text), budget);
    const auto evaluator = evaluatorOf(set);
    const Request request(path, "web");
    policy::AttributeReader reader;
    policy::Decision decision;
    report(what, measure(calls, [&](size_t) { evaluator->decide(request.check, reader, decision); }), 0);
  };
  std::string all = "policy 'p' {\n", re = all, when = all, headers = all;
  for (int i = 0; i < 10'000; ++i) {
    const std::string n = std::to_string(i);
    all += "allow 'r" + n + "' { principal = anyone, path = '/**', method = 'M" + n + "' },\n";
    re += "allow 'r" + n + "' { principal = anyone, path = re '/v[0-9]+/svc" + n + "/.*' },\n";
    when += "allow 'r" + n + "' { principal = anyone, path = '/**', when = function(r) return r.method == 'X' end },\n";
    headers += "allow 'r" + n + "' { principal = anyone, path = '/**', header = { ['x-region'] = 'r" + n + "' } },\n";
  }
  time("10,000 rules `/**`, each for another method, none matches", all + "}", "/a/b", 20'000);
  time("10,000 rules with `re` paths, the last matches", re + "}", "/v1/svc9999/x", 2'000);
  time("10,000 rules with `re` paths, none matches", re + "}", "/a/b", 2'000);
  time("10,000 rules `/**` with a header each, none matches (linear)", headers + "}", "/a/b", 20);
  time("10,000 rules `/**` with `when`, large budget (linear)", when + "}", "/a/b", 5, {100'000'000, 1 << 30});
  time("10,000 rules `/**` with `when`, default budget (ends in deny)", when + "}", "/a/b", 20);
  time("an endless `when`, default budget",
       "policy 'p' { allow 'a' { principal = anyone, when = function(r) while true do end end } }", "/a", 20);
}

void loading() {
  const size_t before = residentKb();
  const std::string text = manyRules(100'000);
  const int64_t began = base::steadyNanos();
  const auto set = setOf(loadLua(text));
  const auto evaluator = evaluatorOf(set);
  const double seconds = static_cast<double>(base::steadyNanos() - began) / 1e9;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double peak = static_cast<double>(usage.ru_maxrss) / 1024;
  const double now = static_cast<double>(residentKb() - before) / 1024;
  std::printf(
      "loading 100,000 rules and making an evaluator: %.2f s (at most 2), %.0f MiB at the peak of the process (at most "
      "300), %.0f MiB kept\n",
      seconds, peak, now);
  failed = failed || seconds > 2 || peak > 300;
}

}  // namespace

int main(int argc, char** argv) {
  checking = argc > 1 && std::strcmp(argv[1], "--check") == 0;
  const std::string only = argc > 2 && std::strcmp(argv[1], "--only") == 0 ? argv[2] : "";
  if (only == "native") return nativeMatch(10), nativeMatch(100'000), 0;
  if (only == "conditions") return conditions(), 0;
  if (only == "bodies") return bodies(), 0;
  if (only == "remembered") return rememberedOnly(), 0;
  loading();  // first, because it measures the peak memory of the process
  std::printf("a decision, without proxy and audit:\n");
  for (const size_t count : {size_t{10}, size_t{1000}, size_t{100'000}}) nativeMatch(count);
  conditions();
  bodies();
  worstShapes();
  return checking && failed ? 1 : 0;
}
