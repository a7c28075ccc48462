#include "authz/authorizer.h"

#include <exception>

#include "audit/writer.h"
#include "base/clock.h"

namespace yett::authz {

// This many (policy, rule) pairs get a separate series; the rest share one.
static constexpr size_t kMaxSeries = 1000;
static Refusal notRecorded(const base::UuidText& id) {
  return {.recorded = false, .status = 0, .id = id};
}

static constexpr const char* kRechecks = "in-flight exchanges that were decided again after a policy change";

Authorizer::Authorizer(audit::Writer& writer, base::Metrics& metrics)
    : writer_(writer),
      metrics_(metrics),
      duration_(metrics.histogram("yett_decision_duration_seconds", "time to evaluate the policy")),
      rechecks_{std::ref(metrics.counter("yett_rechecks_total", {{"effect", "deny"}}, kRechecks)),
                std::ref(metrics.counter("yett_rechecks_total", {{"effect", "allow"}}, kRechecks))} {}

std::unique_ptr<policy::PolicyEvaluator> Authorizer::swap(std::unique_ptr<policy::PolicyEvaluator> evaluator) {
  evaluator_.swap(evaluator);
  owned_headers_ = evaluator_ ? evaluator_->set().ownedHeaders() : std::vector<std::string>{};
  for (auto& counters : counters_) counters.clear();
  decision_.clear();
  return evaluator;
}

std::unique_ptr<policy::PolicyEvaluator> Authorizer::swapShadow(std::unique_ptr<policy::PolicyEvaluator> evaluator) {
  shadow_.swap(evaluator);
  shadow_decision_.clear();
  return evaluator;
}

static base::Counter& shadowDecisions(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("yett_shadow_decisions_total", {{"result", result}},
                         "decisions of the shadow policy, compared with the policy in force");
}

void Authorizer::showShadow(base::Metrics& metrics) {
  for (const char* result : {"same", "newly_denied", "newly_allowed", "undecided", "error"})
    shadowDecisions(metrics, result);
}

std::string Authorizer::askShadow(const policy::CheckRequest& request, bool allowed) {
  const auto count = [&](const char* result) {
    base::Counter*& counter = shadow_counters_[result];
    if (counter == nullptr) counter = &shadowDecisions(metrics_, result);
    counter->add();
  };
  if (!shadow_) return {};
  try {
    shadow_->decide(request, shadow_reader_, shadow_decision_);
  } catch (const std::exception&) {
    count("error");
    return "error";
  }
  if (shadow_decision_.allow == allowed) return count("same"), std::string();
  // It may have been denied before its body arrived, so what this policy would have decided is unknown.
  if (request.body != nullptr && request.body->awaited && shadow_reader_.unknownReads() > 0)
    return count("undecided"), std::string();
  count(allowed ? "newly_denied" : "newly_allowed");
  std::string out = shadow_decision_.allow ? "allow " : "deny ";
  if (!shadow_decision_.policy.empty()) out.append(shadow_decision_.policy).append("/");
  return out.append(shadow_decision_.rule);
}

static base::Counter& decisions(base::Metrics& metrics, bool allow, std::string_view policy, std::string_view rule,
                                bool cached) {
  return metrics.counter(
      "yett_decisions_total",
      {{"effect", allow ? "allow" : "deny"}, {"policy", policy}, {"rule", rule}, {"cached", cached ? "true" : "false"}},
      "decisions by what decided them");
}

void Authorizer::showRule(base::Metrics& metrics, bool allow, std::string_view policy, std::string_view rule) {
  for (const bool cached : {false, true}) decisions(metrics, allow, policy, rule, cached);
}

void Authorizer::count() {
  const size_t kind = (decision_.allow ? 1 : 0) + (decision_.cached ? 2 : 0);
  auto& counters = counters_[kind];
  // The names are stored in the policy set: while it does not change, their addresses identify them.
  const auto it = counters.find({decision_.policy.data(), decision_.rule.data()});
  if (it != counters.end()) return it->second->add();
  const bool room = counters.size() < kMaxSeries;
  if (!room && others_[kind] != nullptr) return others_[kind]->add();
  base::Counter& counter = decisions(metrics_, decision_.allow, room ? decision_.policy : "other",
                                     room ? decision_.rule : "other", decision_.cached);
  if (room) counters.emplace(Names{decision_.policy.data(), decision_.rule.data()}, &counter);
  else others_[kind] = &counter;
  counter.add();
}

void Authorizer::decide(const Question& question) {
  decision_.clear();
  if (!question.refuse.empty()) {
    reader_.reset(question.request);
    decision_.rule = question.refuse_rule;
    decision_.reason = question.refuse;
  } else if (evaluator_) {
    evaluator_->decide(question.request, reader_, decision_);
  } else {
    reader_.reset(question.request);
    decision_.rule = "error";
    decision_.errors = "no policy is loaded";
  }
}

uint64_t Authorizer::record(const Question& question, const base::UuidText& id) {
  const policy::CheckRequest& r = question.request;
  const policy::Recording& recording = writer_.recording();
  reader_.readsJson(recording, reads_, decision_.allow ? decision_.obligations : nullptr);
  std::string masked_target;
  std::string masked[4];
  const auto told = [&](policy::Attr attr, std::string_view value, std::string& kept) {
    if (value.empty() || !recording.masks(attr, {})) return recording.shortened(value, kept);
    return std::string_view(kept = recording.masked(value));
  };
  const std::string_view principal = told(policy::Attr::kPrincipalId, r.principal->id, masked[0]);
  reader_.redact(decision_.reason, recording);
  reader_.redact(decision_.errors, recording);
  audit::DecisionRecord out;
  out.id = base::view(id);
  out.time_micros = question.now_micros;
  out.listener = r.listener;
  out.route = question.route;
  out.principal = principal;
  out.method = r.method;
  out.host = told(policy::Attr::kHost, r.host, masked[2]);
  out.path = told(policy::Attr::kPath, r.path, masked[3]);
  out.raw_target = recording.target(r.raw_path, masked_target);
  out.allow = decision_.allow;
  out.policy = decision_.policy;
  out.rule = decision_.rule;
  out.reason = decision_.reason;
  out.errors = decision_.errors;
  out.engine = decision_.engine;
  out.policy_digest = decision_.policy_digest;
  out.cached = decision_.cached;
  out.eval_nanos = decision_.eval_nanos;
  out.reads = reads_;
  out.would_deny = decision_.would_deny;
  out.protocol = r.protocol;
  out.source = told(policy::Attr::kSourceIp, question.source, masked[1]);
  return writer_.append(out);
}

void Authorizer::decideSafely(const Question& question) {
  try {
    decide(question);
  } catch (const std::exception& e) {
    decision_.clear();
    reader_.reset(question.request);
    decision_.rule = "error";
    decision_.errors = std::string("internal error: ") + e.what();
  }
}

std::optional<Refusal> Authorizer::recheck(const Question& question, std::string_view cause) {
  decideSafely(question);
  rechecks_[decision_.allow ? 1 : 0].get().add();
  if (decision_.allow) return std::nullopt;
  const base::UuidText id = ids_.next(question.now_micros);
  const uint64_t ticket = record(question, id);
  count();
  if (ticket != 0) OpenDecision(writer_, ticket).end({.result = question.refuse.empty() ? cause : question.refuse});
  return Refusal{ticket != 0, decision_.status, decision_.public_reason, id, {}};
}

Answer Authorizer::check(const Question& question, Decided& decided) {
  decideSafely(question);
  return answer(question, decided);
}

std::optional<Answer> Authorizer::checkEarly(const Question& question, Decided& decided) {
  decideSafely(question);
  if (decision_.allow) return std::nullopt;
  return answer(question, decided);
}

Answer Authorizer::answer(const Question& question, Decided& decided) {
  decided.id = ids_.next(question.now_micros);
  decided.allow = decision_.allow;
  decided.policy = decision_.policy;
  decided.rule = decision_.rule;
  const uint64_t ticket = record(question, decided.id);
  count();
  duration_.observeMicros(decision_.eval_nanos / 1000);
  if (ticket == 0) return notRecorded(decided.id);
  OpenDecision open(writer_, ticket);
  if (!decision_.allow) return Refusal{true, decision_.status, decision_.public_reason, decided.id, std::move(open)};
  Permit permit(decided.id, decision_.obligations, std::move(open));
  if (writer_.strict()) return Pending(ticket, std::move(permit));
  return permit;
}

Answer Authorizer::settle(Pending&& pending) const {
  if (pending.ticket_ <= durable_) return std::move(pending.permit_);
  Refusal refusal = notRecorded(pending.permit_.id());
  refusal.decision = std::move(pending.permit_).giveUp();
  return refusal;
}

std::string Authorizer::shown(const std::string& source) const {
  const auto& recording = writer_.recording();
  return recording.masks(policy::Attr::kSourceIp, {}) ? recording.masked(source) : source;
}

std::string Authorizer::shownCaller(const std::string& id) const {
  const auto& recording = writer_.recording();
  return !id.empty() && recording.masks(policy::Attr::kPrincipalId, {}) ? recording.masked(id) : id;
}

std::string Authorizer::shownText(std::string_view text) const {
  if (!writer_.recording().masks(policy::Attr::kPrincipalId, {})) return std::string(text);
  std::string out;
  bool quoted = false;
  for (const char c : text) {
    if (c == '`') quoted = !quoted, out += quoted ? "`(masked)" : "`";
    else if (!quoted) out += c;
  }
  return out;
}

uint64_t Authorizer::recordAttempt(const Permit& permit, int number, std::string_view why) {
  if (!writer_.strict()) return 0;
  const std::string detail = "attempt " + std::to_string(number) + ", because: " + std::string(why);
  const uint64_t ticket =
      writer_.append(audit::EventRecord{base::wallMicros(), "attempt", base::view(permit.id()), detail, 1});
  return ticket != 0 ? ticket : UINT64_MAX;  // not accepted: will never be durable
}

base::Millis Authorizer::heartbeat() const {
  return writer_.config().heartbeat;
}
double Authorizer::queueFullness() const {
  return writer_.fullness();
}
base::Millis Authorizer::commitTimeout() const {
  return writer_.config().commit_timeout;
}

}  // namespace yett::authz
