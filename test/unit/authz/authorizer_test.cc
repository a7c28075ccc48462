#include "authz/authorizer.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "audit/reader.h"
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
  std::vector<policy::LoadedEngine> engines{{"main", false, std::make_shared<const Set<Engine>>()}};
  return policy::PolicyEvaluator::create(
             std::make_shared<const policy::PolicySet>(std::move(engines), policy::Budget{}))
      .value();
}

struct Fixture {
  test::TempDir dir;
  base::Metrics metrics;
  audit::AuditConfig config{dir.path("yett.db"), false, base::Millis(1), 1000};
  std::unique_ptr<audit::Writer> writer = audit::Writer::open(config, metrics, {[](const std::string&) {}, {}}).value();
  authz::Authorizer authorizer{*writer, metrics};
  identity::Principal anonymous;
  base::UuidText id{};

  authz::Answer ask(authz::OpenDecision& open) {
    policy::CheckRequest request;
    request.method = "GET";
    request.path = "/";
    request.principal = &anonymous;
    return authorizer.check({request, "", "", 1'800'000'000'000'000}, id, open);
  }
};

}  // namespace

TEST_CASE("authorizer: without a policy every request is refused, and recorded") {
  Fixture f;
  {
    authz::OpenDecision open;
    CHECK(std::holds_alternative<authz::Refusal>(f.ask(open)));
    open.end({403, "", 0, 0, 1, "denied"});
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
  authz::OpenDecision open;
  CHECK(std::holds_alternative<authz::Refusal>(f.ask(open)));
  CHECK(f.authorizer.last().errors.find("broken engine") != std::string::npos);
  open.end({403, "", 0, 0, 1, "denied"});
}

TEST_CASE("authorizer: what was decided and never ended is recorded as aborted") {
  Fixture f;
  f.authorizer.swap(evaluatorOf<Allowing>());
  {
    authz::OpenDecision open;
    CHECK(std::holds_alternative<authz::Permit>(f.ask(open)));
  }
  f.writer.reset();
  const auto rows = audit::Reader::open(f.config.database).value().decisions({}).value();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].effect == "allow");
  CHECK(rows[0].result == "aborted");
}

TEST_CASE("authorizer: an allow that cannot be recorded is a 503, not a permit") {
  test::TempDir dir;
  base::Metrics metrics;
  // A queue of one record that the writer is slow to take.
  auto writer =
      audit::Writer::open({dir.path("yett.db"), false, base::Millis(500), 2}, metrics, {[](const std::string&) {}, {}})
          .value();
  authz::Authorizer authorizer(*writer, metrics);
  authorizer.swap(evaluatorOf<Allowing>());
  identity::Principal anonymous;
  policy::CheckRequest request;
  request.principal = &anonymous;
  int refused = 0;
  std::vector<authz::OpenDecision> open(50);
  for (auto& decision : open) {
    base::UuidText id;
    const auto answer = authorizer.check({request, "", "", 1}, id, decision);
    if (const auto* refusal = std::get_if<authz::Refusal>(&answer)) {
      ++refused;
      CHECK(refusal->status == 503);
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
    base::UuidText id;
    authz::OpenDecision open;
    const auto answer = authorizer.check({request, "", "", 1}, id, open);
    const auto* pending = std::get_if<authz::Pending>(&answer);
    REQUIRE(pending != nullptr);
    CHECK(pending->ticket() > before);  // so that who waits stands in order
    before = pending->ticket();
    CHECK(std::holds_alternative<authz::Refusal>(authorizer.settle(*pending)));
    while (durable < pending->ticket()) std::this_thread::yield();
    const auto rows = audit::Reader::open(dir.path("yett.db")).value().decisions({.limit = 1000}).value();
    CHECK(std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.id == base::view(id); }));
    authorizer.onDurable(durable);
    CHECK(std::holds_alternative<authz::Permit>(authorizer.settle(*pending)));
    open.end({200, "", 0, 0, 1, "complete"});
  }
}
