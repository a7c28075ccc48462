// The cost of the audit log: CPU of the deciding thread and of the writer thread, records per second, verification,
// queries, erasing. Prints a table; with --check, exits with 1 if a bound is exceeded. The argument is the number of
// records (default 1,000,000). --write [--rate N] [--strict] [--sampled] measures only one way of writing.
#include <sys/resource.h>
#include <time.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "audit/chain_writer.h"
#include "audit/erase.h"
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

/// Decisions like those of a shop's services: 200 callers, 136,000 paths, 20 rules, 8 hosts, 30 recorded user agents,
/// one in eight with a query, one in 37 denied. `header`: also records a header with a unique value in each request.
struct Traffic {
  explicit Traffic(bool header = false) : header_(header) {}
  base::Uuid7Source ids;
  base::UuidText id{};
  std::string principal, path, raw_target, rule, host, reads, source, digest = std::string(64, 'a');
  int64_t time = 1'800'000'000'000'000;
  uint64_t state = 1;

  uint64_t random() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
  }
  audit::DecisionRecord next() {
    time += 20 + static_cast<int64_t>(random() % 30);
    id = ids.next(time);
    principal = "spiffe://example.org/ns/shop-" + std::to_string(random() % 10) + "/sa/service-" +
                std::to_string(random() % 20);
    path = "/orders/" + std::to_string(random() % 136'000) + "/items";
    raw_target = path;
    if (random() % 8 == 0) raw_target += "?page=" + std::to_string(random() % 30);
    rule = "rule " + std::to_string(random() % 20);
    host = "h" + std::to_string(random() % 8) + ".example.org";
    reads = R"({"header.user-agent":"Mozilla/5.0 agent )" + std::to_string(random() % 30) +
            " (X11; Linux x86_64) like Gecko\"";
    if (header_) reads += R"(,"header.x-request-id":")" + std::string(base::view(ids.next(time))) + '"';
    reads += '}';
    source = "10.1.0." + std::to_string(random() % 200);
    audit::DecisionRecord r;
    r.id = base::view(id);
    r.time_micros = time;
    r.listener = "inbound";
    r.route = "/**";
    r.principal = principal;
    r.method = random() % 5 == 0 ? "POST" : "GET";
    r.host = host;
    r.path = path;
    r.raw_target = raw_target;
    r.allow = random() % 37 != 0;
    r.policy = "orders";
    r.rule = r.allow ? std::string_view(rule) : "default";
    r.engine = "main";
    r.policy_digest = digest;
    r.cached = random() % 2 == 0;
    r.eval_nanos = 300 + static_cast<int64_t>(random() % 2000);
    r.reads = reads;
    r.protocol = "HTTP/1.1";
    r.source = source;
    return r;
  }

 private:
  const bool header_;
};

/// How to write: decisions per second (0: as fast as the writer takes them), and options.
struct How {
  bool outcomes = true;
  int64_t rate = 0;
  bool strict = false;
  bool sampled = false;
  bool header = false;
};

// Returns the CPU time of the writer per decision, in microseconds.
double write(const std::string& path, int64_t decisions, const How& how, double& loop_micros) {
  base::Metrics metrics;
  audit::AuditConfig config;
  config.database = path;
  config.queue_records = 200'000;
  config.queue_bytes = uint64_t{8} << 30;
  config.strict = how.strict;
  config.verify_blocks = how.sampled ? audit::VerifyBlocks::kSampled : audit::VerifyBlocks::kAll;
  Traffic traffic(how.header);
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
  const auto wait = [&](std::chrono::microseconds time) {
    const double before = cpuSeconds(CLOCK_THREAD_CPUTIME_ID);
    std::this_thread::sleep_for(time);
    waited += cpuSeconds(CLOCK_THREAD_CPUTIME_ID) - before;
  };
  const int64_t began = base::steadyNanos();
  for (int64_t i = 0; i < decisions; ++i) {
    // Paced by the millisecond: in bursts at a high rate, one by one at a low rate.
    while (how.rate > 0 && (base::steadyNanos() - began) / 1000 < i * 1'000'000 / how.rate)
      wait(std::chrono::microseconds(500));
    const auto record = traffic.next();
    uint64_t ticket = 0;
    while ((ticket = writer.value()->append(record)) == 0) wait(std::chrono::milliseconds(2));
    if (how.outcomes)
      writer.value()->append(ticket, audit::OutcomeRecord{200, "127.0.0.1:9000", 0, static_cast<int64_t>(i % 700),
                                                          static_cast<int64_t>(200 + i % 3001), "complete"});
  }
  const double loop = cpuSeconds(CLOCK_THREAD_CPUTIME_ID) - mine - waited;
  writer.value().reset();
  const double total = cpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - all - waited;
  loop_micros = (loop / static_cast<double>(decisions) - making) * 1e6;
  return (total - loop) / static_cast<double>(decisions) * 1e6;
}

double bytesEach(const std::string& path, int64_t decisions) {
  return static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(decisions);
}

void writeAll(const test::TempDir& dir, const std::string& path, int64_t decisions) {
  double loop = 0;
  double cpu = write(dir.path("decisions.db"), decisions, {.outcomes = false}, loop);
  report("a decision, CPU of the deciding thread", loop, "us", 1);
  report("a decision, CPU of the writer, chain and filters included", cpu, "us", 5);
  cpu = write(path, decisions, {}, loop);
  report("a decision and its outcome, CPU of the deciding thread", loop, "us", 1);
  report("a decision and its outcome, CPU of the writer, all blocks verified", cpu, "us", 0);
  report("bytes of database per decision with its outcome", bytesEach(path, decisions), "B", 45);
  cpu = write(dir.path("sampled.db"), decisions, {.sampled = true}, loop);
  report("the same, one block in 64 verified", cpu, "us", 0);
  (void)write(dir.path("header.db"), decisions, {.header = true}, loop);
  report("bytes with a recorded header that differs in each request", bytesEach(dir.path("header.db"), decisions), "B",
         80);
  report("CPU of the writer at 30,000 a second", write(dir.path("fast.db"), 90'000, {.rate = 30'000}, loop), "us", 0);
  report("CPU of the writer at 3,000 a second", write(dir.path("slow.db"), 9'000, {.rate = 3'000}, loop), "us", 0);
  report("CPU of the writer, strict, at 1,000 a second",
         write(dir.path("strict.db"), 2'000, {.rate = 1'000, .strict = true}, loop), "us", 0);
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
    report(what.c_str(), took * 1e6 / static_cast<double>(v.records), "s", threads == 2 ? 0.8 : 0);
  }
  const auto query = [&](const char* what, const audit::Query& q) {
    auto reader = audit::Reader::open(path).value();
    size_t found = 0;
    const double took = seconds([&] { found = reader.decisions(q).value().size(); });
    const std::string text = std::string(what) + ", " + std::to_string(static_cast<int64_t>(rows)) +
                             " decisions, found " + std::to_string(found);
    report(text.c_str(), took, "s", 0.5);
  };
  audit::Query q;
  query("query: the newest hundred", q);
  q.effect = "deny";
  query("query: denials", q);
  q = {};
  q.principal = "spiffe://example.org/ns/shop-3/sa/service-7";
  q.path = "/orders/4711/*";
  query("query: one principal on one path", q);
  q = {};
  q.principal = "spiffe://example.org/nobody";
  query("query: a principal without records", q);
  q = {};
  q.path = "/admin/*";
  query("query: a path without records", q);
  q = {};
  q.since = 1'800'000'000'000'000 + decisions * 17;
  q.until = *q.since + 1000;
  query("query: a moment in the middle", q);
  auto reader = audit::Reader::open(path).value();
  q = {};
  q.limit = INT64_MAX;
  for (const char* by : {"principal", "rule", "effect"}) {
    const double took = seconds([&] { (void)reader.groups(q, {by}).value(); });
    report((std::string("counts by ") + by + ", for ten million").c_str(), took * 1e7 / rows, "s", 1);
  }
}

// Erases a caller who appears in every block, in steps between which the writer can write.
void eraseOne(const std::string& path, int64_t decisions) {
  std::vector<int64_t> seqs;
  audit::Query query;
  query.principal = "spiffe://example.org/ns/shop-3/sa/service-7";
  (void)audit::Reader::open(path).value().each(query, [&](const auto& row) { return seqs.push_back(row.seq), true; });
  audit::AuditConfig config;
  config.database = path;
  auto chain = audit::ChainWriter::open(config).value();
  double longest = 0;
  const double took = seconds([&] {
    for (size_t at = 0; at < seqs.size();) {
      audit::EraseStep step;
      longest = std::max(
          longest, seconds([&] { step = audit::eraseSome(*chain, path, std::span(seqs).subspan(at), "why").value(); }));
      at += step.taken;
    }
  });
  report("erase a caller who is in every block, for ten million", took * 1e7 / static_cast<double>(decisions), "s",
         120);
  report("longest step of the erasure", longest * 1e3, "ms", 0);
  const auto v = audit::verify({path}, {}, 2, [](int64_t) {}).value();
  if (!v.broken.empty() || v.erased != static_cast<int64_t>(seqs.size()))
    std::printf("BROKEN %s\n", v.broken.c_str()), failed = true;
}

// Replays all of it against a policy of a dozen rules with conditions.
void replayAll(const std::string& path, int64_t decisions) {
  policy::PolicySource source;
  std::string text = "policy \"candidate\" {\n";
  for (int i = 0; i < 12; ++i)
    text += "allow \"r" + std::to_string(i) + "\" { principal = \"spiffe://example.org/ns/shop-3/sa/service-" +
            std::to_string(i) +
            "\", path = \"/orders/{id}/items\", when = function(r) return r.header[\"user-agent\"] ~= " +
            "\"x\" and r.params.id ~= \"13\" end },\n";
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
  How how;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--check") check = true;
    else if (word == "--write") only_write = true;
    else if (word == "--strict") how.strict = true;
    else if (word == "--sampled") how.sampled = true;
    else if (word == "--rate" && i + 1 < argc) how.rate = std::atoll(argv[++i]);
    else decisions = std::max(1000LL, std::atoll(argv[i]) / 2);
  }
  const test::TempDir dir;
  const std::string path = dir.path("yett.db");
  if (only_write) {  // for comparison with another build
    double loop = 0;
    std::printf("%.2f us of the writer\n", write(path, decisions, how, loop));
    return 0;
  }
  std::printf("the audit log: %lld decisions, as many outcomes\n", static_cast<long long>(decisions));
  writeAll(dir, path, decisions);
  read(path, decisions);
  replayAll(path, decisions);
  eraseOne(path, decisions);
  return check && failed ? 1 : 0;
}
