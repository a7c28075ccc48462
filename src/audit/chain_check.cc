#include "audit/chain_check.h"

#include <algorithm>
#include <optional>

#include "audit/block_filter.h"
#include "audit/block_source.h"
#include "audit/chain_walk.h"
#include "audit/query.h"
#include "audit/record_check.h"
#include "audit/record_keys.h"
#include "base/text.h"
#include "block/text_column.h"

namespace yett::audit {
namespace {

constexpr int64_t kTell = 50'000;  // records

std::string at(int64_t seq, const std::string& what) {
  return "record " + std::to_string(seq) + ": " + what;
}

// The filter of a block, computed from its rows.
Result<std::string> filterOf(BlockData& data) {
  BlockFilter filter;
  std::array<std::vector<Token>, 6> tokens;
  constexpr std::pair<const char*, Term> kColumns[] = {{"effect", Term::kEffect}, {"principal", Term::kPrincipal},
                                                       {"path", Term::kPath},     {"method", Term::kMethod},
                                                       {"policy", Term::kPolicy}, {"rule", Term::kRule}};
  std::array<const block::TextValues*, 3> paired{};
  for (size_t i = 0; i < std::size(kColumns); ++i) {
    const auto* texts = TRY(data.texts(Kind::kDecision, decisionColumn(kColumns[i].first)));
    for (size_t n = 0; n < texts->entries(); ++n) tokens[i].push_back(filter.add(kColumns[i].second, texts->entry(n)));
    if (i < paired.size()) paired[i] = texts;
  }
  for (size_t row = 0; row < data.rows(Kind::kDecision); ++row)
    filter.addPairs(tokens[0][paired[0]->rows()[row]], tokens[1][paired[1]->rows()[row]],
                    tokens[2][paired[2]->rows()[row]]);
  return filter.encode();
}

// What table `blocks` says about a block, apart from its body.
struct Claims {
  BlockHead head;
  std::string filter;
};

Result<std::string> compare(BlockData& data, const Claims& claims) {
  const auto& head = claims.head;
  BlockHead found{.first = data.records().front().seq, .last = data.records().back().seq};
  found.decisions = static_cast<int64_t>(data.rows(Kind::kDecision));
  if (found.decisions > 0) {
    const auto& times = TRY(data.numbers(Kind::kDecision, Place::kTime))->rows();
    const auto [least, most] = std::minmax_element(times.begin(), times.end());
    found.time_min = *least;
    found.time_max = *most;
  }
  const auto& distances = TRY(data.numbers(Kind::kOutcome, Place::kDecisionSeq))->rows();
  for (size_t row = 0; row < distances.size(); ++row) {
    const int64_t decision = data.record(Kind::kOutcome, row).seq - distances[row];
    if (distances[row] != 0 && decision < found.first)
      found.late = found.late == 0 ? decision : std::min(found.late, decision);
  }
  if (found.first != head.first || found.last != head.last || found.decisions != head.decisions)
    return std::string("table `blocks` says that its block has different records than it has");
  if (found.time_min != head.time_min || found.time_max != head.time_max || found.late != head.late ||
      TRY(filterOf(data)) != claims.filter)
    return std::string("table `blocks` hides records of its block from queries");
  return std::string();
}

class Stretch {
 public:
  Stretch(store::Database& db, const std::string& log_id, const std::function<void(int64_t)>& progress)
      : db_(db), log_id_(log_id), progress_(progress) {}

  Status open(const StretchOf& of) {
    from_ = of.from;
    check_.emplace(TRY(RecordCheck::open(db_, of.from, of.to, log_id_, out)));
    return {};
  }

  /// Checks a closed block, given its row. False: something is wrong, and `out` says what.
  Result<bool> take(store::Statement& row) {
    Claims claims;
    claims.head = {.first = row.integer(0),
                   .last = row.integer(1),
                   .decisions = row.integer(2),
                   .time_min = row.integer(3),
                   .time_max = row.integer(4),
                   .late = row.integer(5)};
    for (int i = 0; i < 10; ++i) {
      if (row.type(i) != (i < 6 ? store::Statement::Type::kInteger : store::Statement::Type::kBlob))
        return broken(claims.head.last, "a column of its row in table `blocks` is of the wrong type");
    }
    claims.filter = row.text(8);
    BlockData data;
    if (auto taken = data.take(std::string(row.text(9))); !taken)
      return broken(claims.head.first, "its block, which ends with record " + std::to_string(claims.head.last) +
                                           ", cannot be read: " + taken.error().message);
    auto salts = Salts::read(data.salts(), data.rows(Kind::kDecision));
    if (!salts) return broken(claims.head.first, "its block has " + salts.error().message);
    if (!TRY(walk(data, std::move(salts).value(), std::string(row.text(6)),
                  {{claims.head.last, std::string(row.text(7))}})))
      return false;
    auto wrong = compare(data, claims);
    if (!wrong) return broken(claims.head.first, "its block: " + wrong.error().message);
    return wrong.value().empty() ? Result<bool>(true) : broken(claims.head.first, wrong.value());
  }

  Result<bool> takeOpen(BlockSource& source) {
    auto open = source.tail();
    if (!open) return broken(out.last_seq + 1, open.error().message);
    if (!open.value()) return true;
    OpenBlock& block = *open.value();
    return walk(block.data, Salts(block.seed), TRY(source.before(0)), block.ends);
  }

  void end() {
    if (out.broken.empty()) out.broken = check_->leftover();
    out.head = base::hex(head_);
  }

  StretchResult out;

 private:
  Result<bool> broken(int64_t seq, const std::string& what) {
    out.broken = at(seq, what);
    return false;
  }

  // `ends`: records, in order, with the hash that each must have. The last one is the block's last record.
  Result<bool> walk(BlockData& data, Salts salts, const std::string& prev,
                    const std::vector<std::pair<int64_t, std::string>>& ends) {
    const int64_t first = data.records().front().seq;
    if (out.records == 0) {
      out.first_seq = first;
      out.first_prev = prev;
      out.begins_log = data.records().front().kind == Kind::kLog;
      if (prev.size() != sizeof(base::Sha256)) return broken(first, "it does not follow any record");
    } else if (prev != head_) {
      return broken(first, "it does not follow the record before it: one was removed, inserted or moved");
    }
    if (first < from_ || (out.records > 0 && first <= out.last_seq))
      return broken(first, "it is in two blocks, or in the wrong one");
    ChainWalk walk = TRY(ChainWalk::open(db_, data, std::move(salts), prev));
    auto end = ends.begin();
    for (;;) {
      auto step = walk.next();
      if (!step) return broken(walk.at(), step.error().message);
      if (!step.value()) break;
      const auto& record = *step.value()->record;
      if (out.records > 0 && record.seq != out.last_seq + 1) ++out.gaps;
      out.last_seq = record.seq;
      ++out.records;
      if (record.erased) out.erased.push_back(record.seq);
      if (record.kind != Kind::kDecision && record.kind != Kind::kOutcome) {
        if (const std::string wrong = TRY(check_->check(*step.value())); !wrong.empty())
          return broken(record.seq, wrong);
      }
      if (out.records % kTell == 0) progress_(kTell);
      if (end == ends.end() || record.seq != end->first) continue;
      if (base::view(*step.value()->hash) != end->second) return broken(record.seq, "its content was changed");
      ++end;
    }
    head_ = base::view(walk.head());
    return end == ends.end() ? Result<bool>(true) : broken(out.last_seq, "its block ends with another record");
  }

  store::Database& db_;
  const std::string& log_id_;
  const std::function<void(int64_t)>& progress_;
  std::optional<RecordCheck> check_;
  int64_t from_ = 0;
  std::string head_;
};

}  // namespace

Result<StretchResult> checkStretch(store::Database& db, const StretchOf& of, const std::string& log_id,
                                   const std::function<void(int64_t)>& progress) {
  Stretch stretch(db, log_id, progress);
  TRY(stretch.open(of));
  auto rows =
      TRY(db.prepare("SELECT first, last, decisions, time_min, time_max, late, prev, hash, filter, body FROM "
                     "blocks WHERE last BETWEEN ? AND ? ORDER BY last"));
  rows.bind(1, of.from).bind(2, of.to);
  while (TRY(rows.step())) {
    if (!TRY(stretch.take(rows))) return std::move(stretch.out);
  }
  BlockSource source(db);
  if (of.open && !TRY(stretch.takeOpen(source))) return std::move(stretch.out);
  stretch.end();
  return std::move(stretch.out);
}

}  // namespace yett::audit
