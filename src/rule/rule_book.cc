#include "rule/rule_book.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/hash.h"
#include "policy/settable_header.h"
#include "rule/mismatch.h"
#include "rule/rule_fields.h"
#include "target/segment_pattern.h"

namespace yett::rule {

using policy::Effect;
using policy::Verdict;

RuleBook::RuleBook(std::vector<Rule> rules) : rules_(std::move(rules)) {
  std::sort(rules_.begin(), rules_.end(), [](const Rule& a, const Rule& b) {
    return a.audit_only != b.audit_only ? b.audit_only : evaluatedBefore(a, b);
  });
  while (deciding_ < rules_.size() && !rules_[deciding_].audit_only) ++deciding_;
  slots_ = rules_.size();
  for (auto& rule : rules_) {
    rule.first_slot = static_cast<uint32_t>(slots_);
    slots_ += rule.computed.size();
    for (const Matchers* side : std::array<const Matchers*, 2>{&rule.wanted, rule.unwanted.get()}) {
      if (side == nullptr || side->hours == nullptr) continue;
      const bool known = std::any_of(hours_.begin(), hours_.end(),
                                     [&](const auto& hours) { return hours->text() == side->hours->text(); });
      if (!known) hours_.push_back(side->hours);
    }
  }
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
    for (const auto& header : rule.computed) out.push_back(header.name);
    if (rule.obligations == nullptr) continue;
    for (const auto& [name, value] : rule.obligations->set_headers) out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<std::string_view> RuleBook::policies() const {
  std::vector<std::string_view> out;
  out.reserve(slots_);
  for (const auto& rule : rules_) out.push_back(rule.policy);
  for (const auto& rule : rules_) out.insert(out.end(), rule.computed.size(), rule.policy);
  return out;
}

uint64_t RuleBook::clockState(int64_t seconds) const {
  if (hours_.empty()) return 0;
  uint64_t state = 1;
  for (const auto& hours : hours_) state = base::mixed(state ^ (hours->contains(seconds) ? 1 : 2), 0x9e3779b97f4a7c15);
  return state | 1;
}

RuleEvaluator::Answer RuleEvaluator::ask(uint32_t, policy::AttributeReader&, Verdict&) {
  return Answer::kFailed;
}

RuleEvaluator::Answer RuleEvaluator::compute(uint32_t, const Rule&, policy::AttributeReader&, Verdict&, std::string&) {
  return Answer::kFailed;
}

RuleEvaluator::Answer RuleEvaluator::copyHeader(const Rule& rule, const ComputedHeader& header,
                                                policy::AttributeReader& reader, Verdict& out, std::string& value) {
  const auto found = reader.read(header.attribute, header.key);
  const auto fail = [&](std::string_view why) {
    out.addError(rule.policy, rule.name, "`set_header` of `" + header.name + "`: " + std::string(why));
    return Answer::kFailed;
  };
  if (found.state == policy::AttrValue::State::kAbsent) return fail("the value to copy is absent");
  if (!found.present()) return fail(found.text);
  using Type = policy::AttrValue::Type;
  if (found.type == Type::kJson) return fail("the value to copy is a list or an object");
  value = found.type == Type::kText   ? std::string(found.text)
          : found.type == Type::kFlag ? std::string(found.number != 0 ? "true" : "false")
                                      : std::to_string(found.number);
  if (value.size() > policy::kLongestHeader) return fail("the value has over 4096 bytes");
  if (value.empty()) return fail("the value is empty");
  return policy::isFieldValue(value) ? Answer::kYes : fail("the value is not valid in a header (RFC 9110 5.5)");
}

// All or none: with one that fails, the rule does not apply.
RuleEvaluator::Answer RuleEvaluator::computeHeaders(const Rule& rule, policy::AttributeReader& reader, Verdict& out) {
  if (rule.obligations != nullptr) computed_ = *rule.obligations;
  else computed_ = {};
  const uint32_t unknown = reader.unknownReads();
  const size_t errors = out.errors.size();
  uint32_t slot = rule.first_slot;
  for (const auto& header : rule.computed) {
    std::string value;
    const Answer answer =
        header.function < 0 ? copyHeader(rule, header, reader, out, value) : compute(slot, rule, reader, out, value);
    ++slot;
    if (answer != Answer::kYes) {
      if (!reader.favoursAllow() || reader.unknownReads() == unknown) return answer;
      out.errors.resize(errors);  // as in askOrAssume(): the decision is not final
    }
    computed_.set_headers.emplace_back(header.name, std::move(value));
    ++computed_.computed;
  }
  return Answer::kYes;
}

void RuleEvaluator::trace(uint32_t, policy::AttributeReader&, policy::RuleTrace&) {}

void RuleEvaluator::applyRule(const Rule& rule, Effect effect, Verdict& out) const {
  out.effect = effect;
  out.policy = rule.policy;
  out.rule = rule.name;
  if (effect == Effect::kAllow) {
    out.obligations = rule.computed.empty() ? rule.obligations.get() : &computed_;
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
    if (!rule.captures()) return applyRule(rule, rule.allow() ? Effect::kAllow : Effect::kDeny, out);
    reader.setPattern(path);
    Answer answer = rule.condition < 0 ? Answer::kYes : askOrAssume(number, rule, reader, out);
    if (answer == Answer::kYes && !rule.computed.empty()) answer = computeHeaders(rule, reader, out);
    switch (answer) {
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

void RuleEvaluator::explainHeaders(const Rule& rule, const target::SegmentPattern* path,
                                   policy::AttributeReader& reader, policy::RuleTrace& out) {
  scratch_.clear();
  reader.setPattern(path);
  begin();
  out.applies = computeHeaders(rule, reader, scratch_) == Answer::kYes;
  for (size_t i = computed_.set_headers.size() - computed_.computed; i < computed_.set_headers.size(); ++i)
    out.sets.push_back(computed_.set_headers[i].first + ": " + computed_.set_headers[i].second);
  if (out.applies) return;
  out.evaluated = true;
  out.result = "error: " + scratch_.errors;
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
    if (trace_out.applies && !rule.computed.empty()) explainHeaders(rule, path, reader, trace_out);
    if (reader.unknownReads() > 0) trace_out.undecided = reader.firstUnknown();
  }
}

}  // namespace yett::rule
