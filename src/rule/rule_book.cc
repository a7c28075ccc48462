#include "rule/rule_book.h"

#include <algorithm>
#include <tuple>

#include "rule/mismatch.h"
#include "target/segment_pattern.h"

namespace yett::rule {

using policy::Effect;
using policy::Verdict;

RuleBook::RuleBook(std::vector<Rule> rules) : rules_(std::move(rules)) {
  std::sort(rules_.begin(), rules_.end(), [](const Rule& a, const Rule& b) {
    return a.audit_only != b.audit_only ? b.audit_only : evaluatedBefore(a, b);
  });
  while (deciding_ < rules_.size() && !rules_[deciding_].audit_only) ++deciding_;
  const std::span<const Rule> all(rules_);
  index_ = std::make_unique<RuleIndex>(all.first(deciding_));
  if (deciding_ < all.size()) audit_index_ = std::make_unique<RuleIndex>(all.subspan(deciding_));
}

std::vector<policy::RuleInfo> RuleBook::infos() const {
  std::vector<policy::RuleInfo> out;
  out.reserve(rules_.size());
  for (const auto& rule : rules_) out.push_back(infoOf(rule));
  return out;
}

std::vector<std::string> RuleBook::ownedHeaders() const {
  std::vector<std::string> out;
  for (const auto& rule : rules_) {
    if (rule.obligations == nullptr) continue;
    for (const auto& [name, value] : rule.obligations->set_headers) out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<std::string_view> RuleBook::policies() const {
  std::vector<std::string_view> out;
  out.reserve(rules_.size());
  for (const auto& rule : rules_) out.push_back(rule.policy);
  return out;
}

RuleEvaluator::Answer RuleEvaluator::ask(uint32_t, policy::AttributeReader&, Verdict&) {
  return Answer::kFailed;
}

void RuleEvaluator::trace(uint32_t, policy::AttributeReader&, policy::RuleTrace&) {}

void RuleEvaluator::applyRule(const Rule& rule, Effect effect, Verdict& out) {
  out.effect = effect;
  out.policy = rule.policy;
  out.rule = rule.name;
  if (effect == Effect::kAllow) {
    out.obligations = rule.obligations.get();
    out.public_reason.clear();
  } else if (rule.deny()) {
    out.public_reason = rule.public_reason;
    out.status = rule.status;
  }
  if (!rule.reason.empty() && (out.reason.empty() || effect == Effect::kAllow)) out.reason = rule.reason;
}

void RuleEvaluator::evaluate(policy::AttributeReader& reader, Verdict& out) {
  begin();
  decide(reader, out);
}

// If unknown values count as allowing (in a replay, or while a body is awaited), a condition that read one gets the
// answer that allows.
RuleEvaluator::Answer RuleEvaluator::askOrAssume(uint32_t number, const Rule& rule, policy::AttributeReader& reader,
                                                 Verdict& out) {
  const uint32_t unknown = reader.unknownReads();
  const size_t errors = out.errors.size();
  const Answer answer = ask(number, reader, out);
  if (!reader.favoursAllow() || reader.unknownReads() == unknown) return answer;
  out.errors.resize(errors);
  return rule.allow() ? Answer::kYes : rule.deny() ? Answer::kNo : Answer::kPermit;
}

void RuleEvaluator::decide(policy::AttributeReader& reader, Verdict& out) {
  const Rule* permitted = nullptr;  // by a program, if nothing denies
  if (!missed_reason_.empty()) missed_reason_.clear();
  const target::SegmentPattern* path = nullptr;
  const RuleIndex::Record* record = nullptr;
  search_.start(book_.index(), reader);
  while (search_.next(record, path)) {
    const uint32_t number = record->rule;
    if (!out.reason.empty()) out.reason.clear();
    if (!out.public_reason.empty()) out.public_reason.clear();
    if (record->plain && permitted == nullptr) {
      out.effect = record->kind == Rule::Kind::kAllow ? Effect::kAllow : Effect::kDeny;
      out.policy = record->policy;
      out.rule = record->name;
      return;
    }
    const Rule& rule = book_.rules()[number];
    if (permitted != nullptr && rule.allow() &&
        std::tie(permitted->policy, permitted->name) < std::tie(rule.policy, rule.name))
      break;
    if (rule.condition < 0) return applyRule(rule, rule.allow() ? Effect::kAllow : Effect::kDeny, out);
    reader.setPattern(path);
    switch (askOrAssume(number, rule, reader, out)) {
      case Answer::kYes:
        if (rule.allow()) out.reason.clear();  // it explains a non-match
        return applyRule(rule, rule.allow() ? Effect::kAllow : Effect::kDeny, out);
      case Answer::kFailed:
        out.reason.clear();
        if (rule.allow()) break;  // an allow does not apply; a deny or a program denies
        return applyRule(rule, Effect::kDeny, out);
      case Answer::kRefuse: return applyRule(rule, Effect::kDeny, out);
      case Answer::kPermit:
        if (permitted == nullptr) {
          permitted = &rule;
          permit_reason_ = out.reason;
        }
        break;
      case Answer::kNo:
        if (rule.allow() && missed_reason_.empty()) missed_reason_ = out.reason;
        break;
      case Answer::kAbstain: break;
      case Answer::kSpent:
        out.reason.clear();
        out.effect = Effect::kError;
        return;
    }
  }
  out.reason.clear();
  out.public_reason.clear();
  if (permitted == nullptr) {
    out.reason = missed_reason_;
    return;
  }
  out.reason = permit_reason_;
  applyRule(*permitted, Effect::kAllow, out);
}

void RuleEvaluator::audit(policy::AttributeReader& reader, Verdict& out) {
  if (book_.auditIndex() == nullptr) return;
  begin();  // a separate budget
  const target::SegmentPattern* path = nullptr;
  const RuleIndex::Record* record = nullptr;
  search_.start(*book_.auditIndex(), reader);
  while (search_.next(record, path)) {
    const uint32_t number = record->rule;
    const auto whole = static_cast<uint32_t>(book_.deciding()) + number;
    const Rule& rule = book_.rules()[whole];
    Answer answer = Answer::kYes;
    scratch_.clear();
    if (rule.condition >= 0) {
      reader.setPattern(path);
      answer = ask(whole, reader, scratch_);
    }
    policy::joinErrors(out.errors, scratch_.errors);
    if (answer == Answer::kNo) continue;
    out.would_deny = rule.policy + "/" + rule.name;
    return;
  }
}

void RuleEvaluator::explain(policy::AttributeReader& reader, std::vector<policy::RuleTrace>& out) {
  for (uint32_t number = 0; number < book_.rules().size(); ++number) {
    const Rule& rule = book_.rules()[number];
    policy::RuleTrace& trace_out = out.emplace_back();
    trace_out.policy = rule.policy;
    trace_out.rule = rule.name;
    trace_out.position = rule.position();
    trace_out.effect = infoOf(rule).effect;
    if (rule.audit_only) trace_out.effect += " (audit only)";
    reader.reset(reader.request());
    const target::SegmentPattern* path = nullptr;
    const char* failed = nullptr;
    trace_out.applies = matches(rule, reader, path, &failed);
    if (!trace_out.applies) {
      trace_out.failed = failed;
      auto mismatch = mismatchOf(rule, failed, reader);
      trace_out.wanted = std::move(mismatch.wanted);
      trace_out.got = std::move(mismatch.got);
      trace_out.failures = failuresOf(rule, reader);
    }
    if (trace_out.applies && rule.condition >= 0) {
      reader.setPattern(path);
      begin();
      trace(number, reader, trace_out);
    }
    if (reader.unknownReads() > 0) trace_out.undecided = reader.firstUnknown();
  }
}

}  // namespace yett::rule
