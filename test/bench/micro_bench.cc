// The cost of each step of a request: nanoseconds and heap allocations, as a table. The best of several rounds;
// `--allocations` prints only the allocations, for tests.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "audit/writer.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "lua/engine.h"
#include "policy/policy_set.h"
#include "support/allocations.h"
#include "support/temp_dir.h"
#include "target/canonical.h"

using namespace yett;

namespace {

bool only_allocations = false;

template <typename Step>
void measure(const char* what, Step step) {
  constexpr size_t kCalls = 20'000;
  for (size_t i = 0; i < kCalls; ++i) step(i);  // so that buffers have reached their size
  double best = 1e18;
  const uint64_t before = yett_allocations();
  const int rounds = only_allocations ? 1 : 15;
  for (int round = 0; round < rounds; ++round) {
    const int64_t began = base::steadyNanos();
    for (size_t i = 0; i < kCalls; ++i) step(i);
    best = std::min(best, static_cast<double>(base::steadyNanos() - began) / kCalls);
  }
  const double allocations = static_cast<double>(yett_allocations() - before) / (kCalls * static_cast<double>(rounds));
  if (only_allocations) std::printf("%.3f %s\n", allocations, what);
  else std::printf("  %-44s %7.0f ns   %5.2f allocations\n", what, best, allocations);
}

constexpr std::string_view kHead =
    "GET /orders/42/items?page=2&sort=name HTTP/1.1\r\nHost: orders.example.org\r\nUser-Agent: bench/1.0\r\n"
    "Accept: application/json\r\nAccept-Encoding: gzip, br\r\nX-Region: eu\r\nX-Tenant: t-1\r\n"
    "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
    "Content-Length: 100\r\nConnection: keep-alive\r\n\r\n";

constexpr const char* kPolicy = R"(policy "edge" {
  deny "admin" { path = "/admin/**" },
  allow "reads" { principal = "spiffe://example.org/frontend", method = "GET", path = "/orders/**" },
  allow "items" { principal = "spiffe://example.org/frontend", method = "GET", path = "/tenants/**",
    when = function(r) local t = r.header["x-tenant"]; return #t < 16 and t:sub(1, 2) == "t-" end },
})";

std::unique_ptr<policy::PolicyEvaluator> evaluator(size_t remembered) {
  policy::PolicySource source;
  source.files["p.lua"] = kPolicy;
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(std::move(source), problems);
  if (!rules) std::fprintf(stderr, "%s\n", problems.front().c_str()), std::exit(2);
  policy::EvaluatorOptions options;
  options.remembered_entries = remembered;
  auto set = std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, rules}},
                                                       policy::Budget{});
  return policy::PolicyEvaluator::create(std::move(set), options).value();
}

void heads() {
  const http::Limits limits;
  http::RequestHead request;
  measure("parse and check a request head (7 fields)", [&](size_t) {
    request.clear();
    (void)http::parseRequest(kHead, limits, request);
  });
  target::Target target;
  measure("canonicalize a target", [&](size_t) {
    target.clear();
    (void)target::canonicalize("/orders/42/items?page=2&sort=name", target);
  });
  measure("canonicalize one with dots and escapes", [&](size_t) {
    target.clear();
    (void)target::canonicalize("/a/./b/../orders//%34%32/items;v=1?q=%20", target);
  });
  http::HeaderMap added;
  for (const char* name : {"x-yett-decision-id", "x-yett-principal", "x-forwarded-for"})
    added.add(name, "0196b2a4-7c1e-7f00-8000-000000000000");
  measure("serialize a request head", [&](size_t) { http::writeRequest(request, added, http::headScratch()); });
  http::ResponseHead response;
  measure("parse a response head", [&](size_t) {
    response.clear();
    (void)http::parseResponse(kAnswer, limits, false, response);
  });
  measure("serialize a response head", [&](size_t) {
    http::writeResponse(response, {}, http::Framing::kLength, false, http::Version::kHttp11, http::headScratch());
  });
}

struct Request {
  identity::Principal principal;
  std::string tenant = "t-1";
  std::vector<policy::Header> headers{{"accept", "application/json"}, {"x-tenant", tenant}};
  policy::CheckRequest check;
  explicit Request(std::string_view path) {
    principal.kind = identity::Principal::Kind::kX509Svid;
    principal.trust_domain = "example.org";
    principal.path = "/frontend";
    principal.id = "spiffe://example.org/frontend";
    check.method = "GET";
    check.scheme = "https";
    check.host = "orders.example.org";
    check.path = check.raw_path = path;
    check.protocol = "HTTP/1.1";
    check.principal = &principal;
    check.headers = headers;
    check.time_seconds = 1'800'000'000;
  }
};

void decisions() {
  policy::AttributeReader reader;
  policy::Decision decision;
  const Request native("/orders/42/items");
  const Request conditional("/tenants/1");
  const auto fresh = evaluator(0);
  const auto remembering = evaluator(10'000);
  measure("a native match", [&](size_t) { fresh->decide(native.check, reader, decision); });
  measure("a `when`, remembered", [&](size_t) { remembering->decide(conditional.check, reader, decision); });
  measure("a `when`, fresh", [&](size_t) { fresh->decide(conditional.check, reader, decision); });
  if (!decision.allow) std::fprintf(stderr, "wrong: it is denied\n"), std::exit(2);
}

audit::DecisionRecord record() {
  audit::DecisionRecord out;
  out.id = "0196b2a4-7c1e-7f00-8000-000000000000";
  out.time_micros = 1'800'000'000'000'000;
  out.listener = "inbound";
  out.route = "/**";
  out.principal = "spiffe://example.org/frontend";
  out.method = "GET";
  out.host = "orders.example.org";
  out.path = out.raw_target = "/orders/42/items";
  out.allow = true;
  out.policy = "edge";
  out.rule = "reads";
  out.engine = "main";
  out.policy_digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
  out.eval_nanos = 300;
  out.protocol = "HTTP/1.1";
  out.source = "10.1.2.3";
  return out;
}

void records() {
  audit::Encoded encoded;
  std::string bytes;
  base::Sha256Hasher hasher;
  base::Sha256 head{};
  measure("encode a decision's record", [&](size_t) { audit::encode(record(), encoded); });
  measure("link it: commitment, canonical bytes, hash", [&](size_t i) {
    bytes.clear();
    audit::personalBytes(encoded.personal, encoded.personal_entries, bytes);
    const auto commitment = hasher.update("0123456789abcdef").update(bytes).finish();
    bytes.clear();
    audit::canonicalBytes(audit::Kind::kDecision, static_cast<int64_t>(i) + 1, 0, encoded.fields, encoded.entries,
                          base::view(commitment), bytes);
    head = hasher.update(base::view(head)).update(bytes).finish();
  });
  const test::TempDir dir;
  base::Metrics metrics;
  audit::AuditConfig config;
  config.database = dir.path("bench.db");
  config.queue_records = 4'000'000;
  config.queue_bytes = uint64_t{8} << 30;
  audit::WriterEvents quiet{[](const std::string&) {}, {}};
  auto writer = audit::Writer::open(config, metrics, std::move(quiet));
  if (!writer) std::fprintf(stderr, "%s\n", writer.error().message.c_str()), std::exit(2);
  const auto one = record();
  std::promise<void> held;
  std::promise<void> end;
  std::thread holder([&] {  // keeps the writer from writing during the measurement
    (void)writer.value()->runOnChain([&](audit::ChainWriter&) {
      held.set_value();
      end.get_future().wait();
      return Status();
    });
  });
  held.get_future().wait();
  measure("encode it and append it to the queue", [&](size_t) { (void)writer.value()->append(one); });
  end.set_value();
  holder.join();
}

}  // namespace

// For a tool that counts instructions: runs `number` native matches and little else.
static int onlyDecisions(long number) {
  policy::AttributeReader reader;
  policy::Decision decision;
  const Request native("/orders/42/items");
  const auto asked = evaluator(0);
  for (long i = 0; i < number; ++i) asked->decide(native.check, reader, decision);
  return decision.allow ? 0 : 2;
}

int main(int argc, char** argv) {
  if (argc > 2 && std::strcmp(argv[1], "--decisions") == 0) return onlyDecisions(std::atol(argv[2]));
  only_allocations = argc > 1 && std::strcmp(argv[1], "--allocations") == 0;
  heads();
  decisions();
  records();
  return 0;
}
