// What the audit log costs: CPU on the thread that decides and on the writer's, records a second, verification,
// queries. Printed as a table; with --check, exit status 1 where a bound is broken. RECORDS (1,000,000) as the first
// argument.
#include <sys/resource.h>
#include <time.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "audit/reader.h"
#include "audit/verifier.h"
#include "audit/writer.h"
#include "base/clock.h"
#include "base/uuid7.h"
#include "lua/engine.h"
#include "runtime/replay.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

bool failed = false;

void report(const char* what, double value, const char* unit, double most, double least = 0) {
  const bool bad = (most > 0 && value > most) || (least > 0 && value < least);
  std::printf("  %-62s %9.2f %s", what, value, unit);
  if (most > 0) std::printf("  (at most %g)%s", most, bad ? "  OVER" : "");
  if (least > 0) std::printf("  (at least %g)%s", least, bad ? "  UNDER" : "");
  std::printf("\n");
  failed = failed || bad;
}

double cpuSeconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

/// Decisions as a shop's services make them: 40 callers, 5,000 paths, one in fifty denied.
struct Traffic {
  base::Uuid7Source ids;
  base::UuidText id{};
  std::string principal, path, digest = std::string(64, 'a');
  int64_t time = 1'800'000'000'000'000;
  uint64_t state = 1;

  uint64_t random() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
  }
  audit::DecisionRecord next() {
    time += 100;
    id = ids.next(time);
    principal = "spiffe://example.org/ns/shop/sa/service-" + std::to_string(random() % 40);
    path = "/orders/" + std::to_string(random() % 5000);
    audit::DecisionRecord r;
    r.id = base::view(id);
    r.time_micros = time;
    r.listener = "inbound";
    r.route = "/**";
    r.principal = principal;
    r.method = "GET";
    r.host = "orders.example.org";
    r.path = path;
    r.raw_target = path;
    r.allow = random() % 50 != 0;
    r.policy = "orders";
    r.rule = r.allow ? "frontend reads orders" : "default";
    r.engine = "main";
    r.policy_digest = digest;
    r.eval_nanos = 300;
    r.reads = R"({"header.x-region":"eu"})";
    r.protocol = "HTTP/1.1";
    r.source = "10.1.2.3";
    return r;
  }
};

void write(const std::string& path, int64_t decisions, bool outcomes) {
  base::Metrics metrics;
  audit::AuditConfig config;
  config.database = path;
  config.queue_records = 200'000;
  config.queue_bytes = uint64_t{8} << 30;
  Traffic traffic;
  double making = 0;
  {
    const double began = cpuSeconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < 100'000; ++i) (void)traffic.next();
    making = (cpuSeconds(CLOCK_THREAD_CPUTIME_ID) - began) / 100'000;
  }
  auto writer = audit::Writer::open(config, metrics, {[](const std::string& why) { std::puts(why.c_str()); }, {}});
  const double all = cpuSeconds(CLOCK_PROCESS_CPUTIME_ID);
  const double mine = cpuSeconds(CLOCK_THREAD_CPUTIME_ID);
  double waited = 0;
  const int64_t began = base::steadyNanos();
  for (int64_t i = 0; i < decisions; ++i) {
    const auto record = traffic.next();
    uint64_t ticket = 0;
    while ((ticket = writer.value()->append(record)) == 0) {
      const double before = cpuSeconds(CLOCK_THREAD_CPUTIME_ID);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      waited += cpuSeconds(CLOCK_THREAD_CPUTIME_ID) - before;
    }
    if (outcomes) writer.value()->append(ticket, audit::OutcomeRecord{200, "127.0.0.1:9000", 0, 512, 900, "complete"});
  }
  const double loop = cpuSeconds(CLOCK_THREAD_CPUTIME_ID) - mine - waited;
  writer.value().reset();
  const double seconds = static_cast<double>(base::steadyNanos() - began) / 1e9;
  const double total = cpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - all;
  const double n = static_cast<double>(decisions);
  const std::string what = outcomes ? "a decision and its outcome" : "a decision";
  report((what + ", CPU of the thread that decides").c_str(), (loop / n - making) * 1e6, "us", 1);
  report((what + ", CPU of the writer, chain and filters included").c_str(), (total - loop) / n * 1e6, "us",
         outcomes ? 0 : 5);
  if (!outcomes) return;
  report("records a second (two for each decision)", 2 * n / seconds, "/s", 0, 100'000);
  report("bytes of database for each decision", static_cast<double>(std::filesystem::file_size(path)) / n, "B", 0);
}

template <typename Call>
double seconds(Call call) {
  const int64_t began = base::steadyNanos();
  call();
  return static_cast<double>(base::steadyNanos() - began) / 1e9;
}

void read(const std::string& path, int64_t decisions) {
  const double rows = static_cast<double>(decisions);
  for (const unsigned threads : {2u, 1u}) {
    audit::Verification v;
    const double took = seconds([&] { v = audit::verify({path}, {}, threads, [](int64_t) {}).value(); });
    if (!v.broken.empty()) std::printf("BROKEN %s\n", v.broken.c_str()), failed = true;
    const std::string what = "verify a million records, " + std::to_string(threads) + " threads";
    report(what.c_str(), took * 1e6 / static_cast<double>(v.records), "s", threads == 2 ? 2 : 0);
  }
  const auto query = [&](const char* what, const audit::Query& q) {
    auto reader = audit::Reader::open(path).value();
    size_t found = 0;
    const double took = seconds([&] { found = reader.decisions(q).value().size(); });
    const std::string text = std::string(what) + ", " + std::to_string(static_cast<int64_t>(rows)) +
                             " decisions, found " + std::to_string(found);
    report(text.c_str(), took, "s", 1);
  };
  audit::Query q;
  query("query: the newest hundred", q);
  q.effect = "deny";
  query("query: denials", q);
  q = {};
  q.principal = "spiffe://example.org/ns/shop/sa/service-7";
  q.path = "/orders/4711";
  query("query: one principal on one path", q);
  q = {};
  q.principal = "spiffe://example.org/nobody";
  query("query: a principal that never came", q);
  q = {};
  q.path = "/admin/*";
  query("query: a path that was never asked for", q);
  q = {};
  q.since = 1'800'000'000'000'000 + decisions * 50;
  q.until = *q.since + 1000;
  query("query: a moment in the middle", q);
  auto reader = audit::Reader::open(path).value();
  q = {};
  report("statistics: all decisions by principal", seconds([&] { (void)reader.groups(q, {"principal"}).value(); }), "s",
         0);
}

// A policy of a dozen rules with conditions decides all of it again.
void replayAll(const std::string& path, int64_t decisions) {
  policy::PolicySource source;
  std::string text = "policy \"candidate\" {\n";
  for (int i = 0; i < 12; ++i)
    text += "allow \"r" + std::to_string(i) + "\" { principal = \"spiffe://example.org/ns/shop/sa/service-" +
            std::to_string(i * 3) +
            "\", path = \"/orders/{id}\", when = function(r) return r.header[\"x-region\"] == " +
            "\"eu\" and r.params.id ~= \"13\" end },\n";
  source.files["p.lua"] = text + "}\n";
  source.digest = policy::PolicySource::digestOf(source.files);
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(std::move(source), problems);
  runtime::ReplayPlan plan;
  plan.candidate = std::make_shared<const policy::PolicySet>(
      std::vector<policy::LoadedEngine>{{"main", false, std::move(rules)}}, policy::Budget{});
  plan.threads = 2;
  runtime::ReplayReport done;
  const double took = seconds([&] { done = runtime::replay(path, plan).value(); });
  report("replay under a dozen rules with conditions, two threads", static_cast<double>(decisions) / took, "/s", 0,
         200'000);
  if (done.decisions() != decisions || done.differing() == 0) std::puts("  replay is WRONG"), failed = true;
}

}  // namespace

int main(int argc, char** argv) {
  int64_t decisions = 500'000;
  bool check = false;
  bool only_write = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--check") == 0) check = true;
    else if (std::strcmp(argv[i], "--write") == 0) only_write = true;
    else decisions = std::max(1000LL, std::atoll(argv[i]) / 2);
  }
  const test::TempDir dir;
  const std::string path = dir.path("yett.db");
  std::printf("the audit log: %lld decisions, as many outcomes\n", static_cast<long long>(decisions));
  write(dir.path("decisions.db"), decisions, false);
  write(path, decisions, true);
  if (!only_write) read(path, decisions);
  if (!only_write) replayAll(path, decisions);
  return check && failed ? 1 : 0;
}
