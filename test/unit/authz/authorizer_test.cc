

#include "authz/authorizer.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "audit/reader.h"
#include "audit/writer.h"
#include "support/evaluators.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

struct Throwing final : policy::Evaluator {
  void evaluate(policy::AttributeReader&, policy::Verdict&) override { throw std::runtime_error("broken engine"); }
};
struct Allowing final : policy::Evaluator {
  void evaluate(policy::AttributeReader&, policy::Verdict& out) override {
    out.effect = policy::Effect::kAllow;
    out.rule = "yes";
  }
};

template <typename Engine>
struct Set final : policy::RuleSet {
  std::string digest_ = "d";
  const std::string& digest() const override { return digest_; }
  const char* type() const override { return "test"; }
  std::vector<policy::RuleInfo> rules() const override { return {}; }
  std::vector<std::string> ownedHeaders() const override { return {}; }
  std::vector<std::string> warnings() const override { return {}; }
  Result<std::unique_ptr<policy::Evaluator>> makeEvaluator(const policy::EvaluatorOptions&) const override {
    return std::unique_ptr<policy::Evaluator>(new Engine);
  }
};

template <typename Engine>
std::unique_ptr<policy::PolicyEvaluator> evaluatorOf() {
  return test::evaluatorOf({{"main", false, std::make_shared<const Set<Engine>>()}});
}

struct Fixture {
  test::TempDir dir;
  base::Metrics metrics;
  audit::AuditConfig config{dir.path("yett.db"), false, base::Millis(1), 1000};
  std::unique_ptr<audit::Writer> writer = audit::Writer::open(config, metrics, {[](const std::string&) {}, {}}).value();
  authz::Authorizer authorizer{*writer, metrics};
  identity::Principal anonymous;
  authz::Decided decided;

  authz::Answer ask() {
    policy::CheckRequest request;
    request.method = "GET";
    request.path = "/";
    request.principal = &anonymous;
    return authorizer.check({request, "", "", 1'800'000'000'000'000}, decided);
  }
};

}  // namespace

TEST_CASE("authorizer: without a policy every request is refused, and recorded") {
  Fixture f;
  {
    authz::Answer answer = f.ask();
    REQUIRE(std::holds_alternative<authz::Refusal>(answer));
    std::get<authz::Refusal>(answer).decision.end({.status = 403, .duration_micros = 1, .result = "denied"});
  }
  f.writer.reset();
  const auto rows = audit::Reader::open(f.config.database).value().decisions({}).value();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].effect == "deny");
  CHECK(rows[0].errors == "no policy is loaded");
}

TEST_CASE("authorizer: an engine that throws denies the request") {
  Fixture f;
  f.authorizer.swap(evaluatorOf<Throwing>());
  CHECK(std::holds_alternative<authz::Refusal>(f.ask()));
  CHECK_FALSE(f.decided.allow);
  CHECK(f.decided.rule == "error");
  f.writer.reset();
  const auto rows = audit::Reader::open(f.config.database).value().decisions({}).value();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].errors.find("broken engine") != std::string::npos);
}

TEST_CASE("authorizer: a decided request that never ended is recorded as aborted") {
  Fixture f;
  f.authorizer.swap(evaluatorOf<Allowing>());
  CHECK(std::holds_alternative<authz::Permit>(f.ask()));
  f.writer.reset();
  const auto rows = audit::Reader::open(f.config.database).value().decisions({}).value();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].effect == "allow");
  CHECK(rows[0].result == "aborted");
}

TEST_CASE("authorizer: an allow that cannot be recorded is a 503, not a permit") {
  test::TempDir dir;
  base::Metrics metrics;
  // A queue of one record and a slow writer.
  auto writer =
      audit::Writer::open({dir.path("yett.db"), false, base::Millis(500), 2}, metrics, {[](const std::string&) {}, {}})
          .value();
  authz::Authorizer authorizer(*writer, metrics);
  authorizer.swap(evaluatorOf<Allowing>());
  identity::Principal anonymous;
  policy::CheckRequest request;
  request.principal = &anonymous;
  int refused = 0;
  std::vector<authz::Answer> answers;
  for (int i = 0; i < 50; ++i) {
    authz::Decided decided;
    answers.push_back(authorizer.check({request, "", "", 1}, decided));
    if (const auto* refusal = std::get_if<authz::Refusal>(&answers.back())) {
      ++refused;
      CHECK_FALSE(refusal->recorded);
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("authorizer: in strict mode there is no permit before the record is on disk") {
  test::TempDir dir;
  base::Metrics metrics;
  std::atomic<uint64_t> durable{0};
  auto writer = audit::Writer::open({dir.path("yett.db"), true, base::Millis(5), 1000}, metrics,
                                    {[](const std::string&) {}, [&](uint64_t ticket) { durable = ticket; }})
                    .value();
  authz::Authorizer authorizer(*writer, metrics);
  authorizer.swap(evaluatorOf<Allowing>());
  identity::Principal anonymous;
  policy::CheckRequest request;
  request.principal = &anonymous;
  uint64_t before = 0;
  for (int i = 0; i < 100; ++i) {
    const auto ask = [&](authz::Decided& decided) { return authorizer.check({request, "", "", 1}, decided); };
    authz::Decided early;
    authz::Answer hurried = ask(early);
    REQUIRE(std::holds_alternative<authz::Pending>(hurried));
    CHECK(std::holds_alternative<authz::Refusal>(authorizer.settle(std::get<authz::Pending>(std::move(hurried)))));
    authz::Decided decided;
    authz::Answer answer = ask(decided);
    auto* pending = std::get_if<authz::Pending>(&answer);
    REQUIRE(pending != nullptr);
    CHECK(pending->ticket() > before);  // so that waiting requests are ordered
    before = pending->ticket();
    while (durable < pending->ticket()) std::this_thread::yield();
    const auto rows = audit::Reader::open(dir.path("yett.db")).value().decisions({.limit = 1000}).value();
    CHECK(std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.id == base::view(decided.id); }));
    authorizer.onDurable(durable);
    authz::Answer settled = authorizer.settle(std::move(*pending));
    REQUIRE(std::holds_alternative<authz::Permit>(settled));
    authz::Permit permit = std::get<authz::Permit>(std::move(settled));
    CHECK(permit.id() == decided.id);
    permit.decision().end({.status = 200, .duration_micros = 1, .result = "complete"});
    CHECK_FALSE(permit.good());
  }
}

TEST_CASE("authorizer: a moved-from permit is worthless") {
  Fixture f;
  f.authorizer.swap(evaluatorOf<Allowing>());
  authz::Answer answer = f.ask();
  authz::Permit first = std::get<authz::Permit>(std::move(answer));
  CHECK(first.good());
  const authz::Permit second = std::move(first);
  CHECK(second.good());
  CHECK_FALSE(first.good());
}
