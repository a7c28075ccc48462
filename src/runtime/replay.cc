#include "runtime/replay.h"

#include <atomic>
#include <optional>
#include <thread>

#include "base/mutex.h"
#include "lua/evaluator.h"
#include "runtime/policy_document.h"
#include "runtime/recorded_request.h"

namespace yett::runtime {
namespace {

constexpr size_t kMaxGroups = 10'000;  // groups beyond this are counted as "other"
constexpr size_t kMaxNames = 1'000;
constexpr int64_t kTell = 10'000;
constexpr int64_t kMinShare = 5'000;  // minimum decisions per thread

std::string ruleName(std::string_view policy, std::string_view rule) {
  return policy.empty() ? std::string(rule) : std::string(policy) + "/" + std::string(rule);
}

void count(std::map<std::string, int64_t>& map, const std::string& name, int64_t by = 1) {
  const auto it = map.find(name);
  if (it != map.end()) it->second += by;
  else map[map.size() < kMaxNames ? name : "other"] += by;
}

// One thread's share.
class Replayer {
 public:
  Replayer(const ReplayPlan& plan, std::unique_ptr<policy::PolicyEvaluator> evaluator, audit::Reader log,
           base::Mutex& telling)
      : plan_(plan), evaluator_(std::move(evaluator)), log_(std::move(log)), telling_(telling) {
    if (!plan_.on_line) return;
    for (size_t i = 0; i < evaluator_->set().engines().size(); ++i) {
      if (auto* lua = dynamic_cast<lua::LuaEvaluator*>(&evaluator_->engine(i)))
        lua->watchLines([this](const char* file, int line) {
          const base::Lock lock(telling_);
          plan_.on_line(file, line);
        });
    }
  }

  void take(const audit::Row& row) {
    if (report_.first == 0 || row.time < report_.first) report_.first = row.time;
    report_.last = std::max(report_.last, row.time);
    const Difference what = compare(row);
    ++report_.counts[static_cast<size_t>(what)];
    if (plan_.on_decision) {
      const base::Lock lock(telling_);
      plan_.on_decision(row, decision_, what);
    }
    if (what == Difference::kSame || what == Difference::kUnknown || what == Difference::kNotAsked) return;
    auto key = std::tuple(what, ruleName(row.policy, row.rule), ruleName(decision_.policy, decision_.rule));
    if (report_.groups.size() >= kMaxGroups && !report_.groups.contains(key)) key = {what, "other", "other"};
    DifferenceGroup& group = report_.groups[key];
    ++group.count;
    count(group.principals, row.principal.empty() ? "anonymous" : row.principal);
    count(group.routes, row.listener + " " + (row.route.empty() ? "no route" : row.route));
    if (group.examples.size() < plan_.examples) group.examples.push_back(row.id + " " + row.method + " " + row.path);
  }
  ReplayReport& report() { return report_; }

 private:
  Difference compare(const audit::Row& row) {
    decision_.clear();
    const auto taken = request_.take(row, evaluator_->set().ownedHeaders(), ownedThen(row.policy_digest));
    if (taken != RecordedRequest::Taken::kYes) {
      const bool unknown = taken == RecordedRequest::Taken::kUnknown;
      count(unknown ? report_.unknown : report_.not_asked, std::string(request_.why()));
      return unknown ? Difference::kUnknown : Difference::kNotAsked;
    }
    decide(policy::AttributeReader::Unknown::kDenies);
    if (reader_.unknownReads() > 0 && !decision_.allow) {
      // Denied if unknown values count as denying. If it is denied even when they allow, the answer is known after all.
      const std::string missing = reader_.firstUnknown();
      decide(policy::AttributeReader::Unknown::kAllows);
      if (decision_.allow) {
        count(report_.unknown, missing);
        return Difference::kUnknown;
      }
    }
    const bool allowed = row.effect == "allow";
    if (reader_.unknownReads() > 0) decision_.policy = {}, decision_.rule = "(an unknown rule)";
    if (allowed != decision_.allow) return allowed ? Difference::kNewlyDenied : Difference::kNewlyAllowed;
    return row.policy == decision_.policy && row.rule == decision_.rule ? Difference::kSame : Difference::kOtherRule;
  }

  // Headers that the policy of the record removed from every request; null: the log does not say.
  RecordedRequest::Owned ownedThen(const std::string& digest) {
    auto known = owned_then_.find(digest);
    if (known == owned_then_.end()) {
      std::optional<std::vector<std::string>> owned;
      if (digest == evaluator_->set().digest()) owned.emplace();
      else if (const auto document = log_.policySource(digest); document && !document.value().empty())
        owned = ownedHeadersOf(document.value());
      known = owned_then_.emplace(digest, std::move(owned)).first;
    }
    return known->second ? &*known->second : nullptr;
  }

  void decide(policy::AttributeReader::Unknown unknown) {
    reader_.replay(&request_.recorded(), unknown);
    evaluator_->decide(request_.request(), reader_, decision_);
  }

  const ReplayPlan& plan_;
  std::unique_ptr<policy::PolicyEvaluator> evaluator_;
  audit::Reader log_;
  base::Mutex& telling_;
  std::map<std::string, std::optional<std::vector<std::string>>> owned_then_;  // by digest
  RecordedRequest request_;
  policy::AttributeReader reader_;
  policy::Decision decision_;
  ReplayReport report_;
};

}  // namespace

int64_t ReplayReport::decisions() const {
  int64_t out = 0;
  for (const int64_t n : counts) out += n;
  return out;
}

int64_t ReplayReport::differing() const {
  return counts[static_cast<size_t>(Difference::kNewlyDenied)] + counts[static_cast<size_t>(Difference::kNewlyAllowed)];
}

void add(ReplayReport& to, const ReplayReport& more, size_t examples) {
  for (size_t i = 0; i < kDifferences; ++i) to.counts[i] += more.counts[i];
  if (more.first != 0 && (to.first == 0 || more.first < to.first)) to.first = more.first;
  to.last = std::max(to.last, more.last);
  for (const auto& [key, group] : more.groups) {
    DifferenceGroup& mine = to.groups[key];
    mine.count += group.count;
    for (const auto& example : group.examples) {
      if (mine.examples.size() < examples) mine.examples.push_back(example);
    }
    for (const auto& [name, n] : group.principals) count(mine.principals, name, n);
    for (const auto& [name, n] : group.routes) count(mine.routes, name, n);
  }
  for (const auto& [name, n] : more.unknown) count(to.unknown, name, n);
  for (const auto& [name, n] : more.not_asked) count(to.not_asked, name, n);
}

Result<ReplayReport> replay(const audit::LogRef& log, const ReplayPlan& plan) {
  audit::Reader whole = TRY(audit::Reader::open(log));
  const auto [first, last] = TRY(whole.range());
  ReplayReport out;
  if (last == 0) return out;
  const auto shares = std::max<int64_t>(1, (last - first + 1) / kMinShare);
  const auto threads = static_cast<unsigned>(std::min<int64_t>(plan.threads, shares));
  const int64_t span = (last - first) / threads + 1;
  base::Mutex telling;
  std::atomic<int64_t> done{0};
  std::vector<std::unique_ptr<Replayer>> replayers;
  for (unsigned i = 0; i < threads; ++i) {
    policy::EvaluatorOptions options;
    options.most_spent = 0;  // never suspend a rule because of the budgets that other records used up
    replayers.push_back(std::make_unique<Replayer>(plan, TRY(policy::PolicyEvaluator::create(plan.candidate, options)),
                                                   TRY(audit::Reader::open(log)), telling));
  }
  std::vector<Status> results(threads);
  const auto run = [&, first = first, last = last](unsigned i) -> Status {
    audit::Reader reader = TRY(audit::Reader::open(log));
    audit::Query query = plan.query;
    query.after_seq = std::max(query.after_seq, first + span * i - 1);
    query.up_to_seq = std::min({query.up_to_seq, first + span * (i + 1) - 1, last});
    int64_t taken = 0;
    TRY(reader.each(query, [&](const audit::Row& row) {
      replayers[i]->take(row);
      if (++taken % kTell == 0) {
        const int64_t all = done += kTell;
        if (i == 0 && plan.progress) plan.progress(all);
      }
      return true;
    }));
    if (const auto gone = reader.takeGone())
      return Error{"retention has deleted records " + std::to_string(gone->first) + " to " +
                   std::to_string(gone->second) + " while they were read: replay again"};
    return {};
  };
  std::vector<std::thread> workers;
  for (unsigned i = 1; i < threads; ++i) workers.emplace_back([&, i] { results[i] = run(i); });
  results[0] = run(0);
  for (auto& worker : workers) worker.join();
  for (auto& result : results) TRY(std::move(result));
  for (const auto& replayer : replayers) add(out, replayer->report(), plan.examples);
  return out;
}

}  // namespace yett::runtime
