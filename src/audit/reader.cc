#include "audit/reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "audit/open_log.h"
#include "audit/outcome_finder.h"
#include "audit/policies.h"
#include "audit/record_keys.h"

namespace yett::audit {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 30;  // of an answer

Row rowOf(const BlockData::Record& record, const Fields& f) {
  Row row{};
  row.seq = record.seq;
  row.time = f.number[DecisionKey::kTime];
  const std::pair<std::string*, int> texts[] = {{&row.id, DecisionKey::kId},
                                                {&row.listener, DecisionKey::kListener},
                                                {&row.route, DecisionKey::kRoute},
                                                {&row.principal, DecisionKey::kPrincipal},
                                                {&row.method, DecisionKey::kMethod},
                                                {&row.host, DecisionKey::kHost},
                                                {&row.path, DecisionKey::kPath},
                                                {&row.raw_target, DecisionKey::kRawTarget},
                                                {&row.effect, DecisionKey::kEffect},
                                                {&row.policy, DecisionKey::kPolicy},
                                                {&row.rule, DecisionKey::kRule},
                                                {&row.reason, DecisionKey::kReason},
                                                {&row.errors, DecisionKey::kErrors},
                                                {&row.engine, DecisionKey::kEngine},
                                                {&row.policy_digest, DecisionKey::kPolicyDigest},
                                                {&row.reads, DecisionKey::kReads},
                                                {&row.would_deny, DecisionKey::kWouldDeny},
                                                {&row.protocol, DecisionKey::kProtocol},
                                                {&row.source, DecisionKey::kSource}};
  for (const auto& [text, key] : texts) *text = f.text[static_cast<size_t>(key)];
  row.eval_ns = f.number[DecisionKey::kEvalNanos];
  row.cached = f.number[DecisionKey::kCached] != 0;
  row.erased = record.erased;
  return row;
}

// Roughly: these are the long fields.
uint64_t bytesOf(const Row& row) {
  return sizeof row + row.reads.size() + row.path.size() + row.raw_target.size() + row.reason.size() +
         row.errors.size() + row.host.size() + row.principal.size() + row.id.size();
}

Result<Row> read(BlockData& data, uint32_t row, OutcomeFinder& outcomes) {
  const auto& record = data.record(Kind::kDecision, row);
  Fields fields;
  TRY(data.fields(record, fields));
  Row out = rowOf(record, fields);
  if (TRY(outcomes.find(record.seq, fields))) addOutcome(fields, out);
  return out;
}

}  // namespace

void addOutcome(const Fields& f, Row& row) {
  row.ended = true;
  row.status = f.number[OutcomeKey::kStatus];
  row.bytes_in = f.number[OutcomeKey::kBytesIn];
  row.bytes_out = f.number[OutcomeKey::kBytesOut];
  row.duration_us = f.number[OutcomeKey::kDurationMicros];
  row.upstream = f.text[OutcomeKey::kUpstream];
  row.result = f.text[OutcomeKey::kResult];
  row.shadow = f.text[OutcomeKey::kShadow];
}

// A snapshot of the file.
struct Reader::Moment {
  int64_t number = 0;  // of this call of eachBlock()
  std::vector<BlockHead> heads;
  std::shared_ptr<OpenBlock> open;  // null: no block is open
};

Result<Reader> Reader::open(const LogRef& file) {
  Reader out(TRY(openLog(file)));
  return out;
}

Result<Reader::Moment> Reader::look(int64_t from) {
  TRY(db_->execute("BEGIN"));
  const auto read = [&]() -> Result<Moment> {
    Moment out;
    out.heads = TRY(source_.heads(from));
    if (auto open = TRY(source_.tail())) out.open = std::make_shared<OpenBlock>(std::move(*open));
    return out;
  };
  auto out = read();
  (void)db_->execute("COMMIT");
  return out;
}

Result<std::vector<Row>> Reader::decisions(const Query& asked) {
  const Search search(asked);
  const Query& query = search.query();
  std::vector<Row> out;
  uint64_t bytes = 0;
  const auto take = [&](BlockData& data, int64_t last, OutcomeFinder& outcomes) -> Status {
    auto rows = TRY(search.rows(data));
    if (query.newest) std::reverse(rows.begin(), rows.end());
    if (!rows.empty()) TRY(outcomes.enter(data, last));
    for (const uint32_t row : rows) {
      if (static_cast<int64_t>(out.size()) >= query.limit) break;
      out.push_back(TRY(read(data, row, outcomes)));
      bytes += bytesOf(out.back());
      if (bytes > kMaxBytes) return Error{"the result is too large for memory: lower the limit, or use `export`"};
    }
    return {};
  };
  const auto run = [&]() -> Status {
    const auto heads = TRY(source_.heads(query.after_seq + 1));
    auto open = TRY(source_.tail());
    OutcomeFinder outcomes(source_, heads);
    if (open) outcomes.setOpen(&open->data);
    const auto takeOpen = [&]() -> Status { return open ? take(open->data, 0, outcomes) : Status(); };
    if (query.newest) TRY(takeOpen());
    for (size_t i = 0; i < heads.size() && static_cast<int64_t>(out.size()) < query.limit; ++i) {
      const BlockHead& head = heads[query.newest ? heads.size() - 1 - i : i];
      if (!search.mayBeIn(head) || !search.mayBeIn(TRY(source_.filter(head.last)))) continue;
      if (auto data = TRY(source_.body(head.last))) TRY(take(*data, head.last, outcomes));
    }
    return query.newest ? Status() : takeOpen();
  };
  TRY(db_->execute("BEGIN"));
  auto done = run();
  (void)db_->execute("COMMIT");
  if (!done) return std::move(done).error();
  if (query.newest) std::reverse(out.begin(), out.end());
  return out;
}

// Reads each block in its own transaction, so that the writer can empty its write-ahead log in between. The open block
// may have been closed by the time it is reached.
Status Reader::eachBlock(const Search& search,
                         const std::function<Result<bool>(BlockData&, const Moment&, int64_t)>& take) {
  int64_t done = search.query().after_seq;
  for (int64_t number = 1;; ++number) {
    Moment moment = TRY(look(done + 1));
    moment.number = number;
    // The block that was read last is gone, and so is what followed it.
    if (number > 1 && !moment.heads.empty() && moment.heads.front().first > done + 1) {
      const auto at = TRY(source_.heads(done));
      if (at.empty() || at.front().last != done) noteGone(done + 1, moment.heads.front().first - 1);
    }
    for (const BlockHead& head : moment.heads) {
      done = head.last;
      if (!search.mayBeIn(head)) continue;
      const std::string filter = TRY(source_.filter(head.last));
      if (!filter.empty() && !search.mayBeIn(filter)) continue;
      auto data = TRY(source_.body(head.last));
      if (!data) noteGone(head.first, head.last);
      else if (!TRY(take(*data, moment, head.last))) return {};
    }
    if (!moment.heads.empty() && TRY(source_.end()).first > done && !TRY(source_.heads(done + 1)).empty()) continue;
    if (moment.open) TRY(take(moment.open->data, moment, 0));
    return {};
  }
}

void Reader::noteGone(int64_t first, int64_t last) {
  gone_ = {gone_ ? gone_->first : first, last};
}

Status Reader::each(const Query& asked, const std::function<bool(Row&)>& take) {
  const Search search(asked);
  std::optional<OutcomeFinder> outcomes;
  int64_t number = 0;
  return eachBlock(search, [&](BlockData& data, const Moment& moment, int64_t last) -> Result<bool> {
    const auto rows = TRY(search.rows(data));
    if (rows.empty()) return true;
    if (number != moment.number) {
      outcomes.emplace(source_, moment.heads);
      if (moment.open) outcomes->setOpen(&moment.open->data);
      number = moment.number;
    }
    TRY(outcomes->enter(data, last));
    for (const uint32_t row : rows) {
      Row out = TRY(read(data, row, *outcomes));
      if (!take(out)) return false;
    }
    return true;
  });
}

Result<std::pair<int64_t, int64_t>> Reader::range() {
  const auto ends = [](const BlockData& data, bool first) -> int64_t {
    const size_t count = data.rows(Kind::kDecision);
    return count == 0 ? 0 : data.record(Kind::kDecision, first ? 0 : count - 1).seq;
  };
  const auto read = [&]() -> Result<std::pair<int64_t, int64_t>> {
    const auto open = TRY(source_.tail());
    std::pair<int64_t, int64_t> out(open ? ends(open->data, true) : 0, open ? ends(open->data, false) : 0);
    for (const bool first : {true, false}) {
      if (!first && out.second != 0) break;
      auto row = TRY(db_->prepare(std::string("SELECT last FROM blocks WHERE decisions > 0 ORDER BY last ") +
                                  (first ? "LIMIT 1" : "DESC LIMIT 1")));
      if (!TRY(row.step())) continue;
      const auto data = TRY(source_.body(row.integer(0)));
      if (data) (first ? out.first : out.second) = ends(*data, first);
    }
    return out;
  };
  TRY(db_->execute("BEGIN"));
  auto out = read();
  (void)db_->execute("COMMIT");
  return out;
}

Result<std::string> Reader::policySource(const std::string& digest) {
  return readPolicy(*db_, digest);
}

}  // namespace yett::audit
