#include "audit/outcome_finder.h"

#include <algorithm>

#include "audit/record_keys.h"

namespace yett::audit {
namespace {

constexpr size_t kKept = 4;  // blocks in memory

// The rows of a block's outcomes, by decision (below `before`).
Status read(BlockData& data, std::unordered_map<int64_t, uint32_t>& to, int64_t before) {
  const auto& distances = TRY(data.numbers(Kind::kOutcome, Place::kDecisionSeq))->rows();
  for (uint32_t row = 0; row < distances.size(); ++row) {
    const int64_t seq = data.record(Kind::kOutcome, row).seq;
    if (distances[row] <= 0 || distances[row] >= seq) continue;
    const int64_t decision = seq - distances[row];
    if (decision < before) to.emplace(decision, row);
  }
  return {};
}

}  // namespace

Status OutcomeFinder::enter(BlockData& data, int64_t last) {
  here_ = &data;
  here_last_ = last;
  mine_.clear();
  return read(data, mine_, INT64_MAX);
}

void OutcomeFinder::enterBefore() {
  here_ = nullptr;
  here_last_ = -1;
  mine_.clear();
}

Result<BlockData*> OutcomeFinder::block(int64_t last) {
  const auto at = std::find_if(kept_.begin(), kept_.end(), [last](const auto& k) { return k.first == last; });
  if (at != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, at);
    return &kept_.front().second;
  }
  auto data = TRY(source_->body(last));
  if (!data) return static_cast<BlockData*>(nullptr);
  kept_.emplace_front(last, std::move(*data));
  if (kept_.size() > kKept) kept_.pop_back();
  return &kept_.front().second;
}

Result<const OutcomeFinder::Late*> OutcomeFinder::late(const BlockHead& head) {
  const auto [at, fresh] = late_.try_emplace(head.last);
  if (!fresh) return &at->second;
  BlockData* data = TRY(block(head.last));
  if (data != nullptr) TRY(read(*data, at->second.rows, head.first));
  return &at->second;
}

Result<bool> OutcomeFinder::find(int64_t decision_seq, Fields& out) {
  const Found found = TRY(locate(decision_seq));
  if (found.data == nullptr) return false;
  TRY(found.data->fields(found.data->record(Kind::kOutcome, found.row), out));
  return true;
}

Result<OutcomeFinder::Found> OutcomeFinder::locate(int64_t decision_seq) {
  const auto mine = mine_.find(decision_seq);
  return mine == mine_.end() ? locateLater(decision_seq) : Found{here_, mine->second};
}

Result<OutcomeFinder::Found> OutcomeFinder::locateLater(int64_t decision_seq) {
  const auto after = std::upper_bound(heads_->begin(), heads_->end(), here_last_,
                                      [](int64_t last, const BlockHead& head) { return last < head.last; });
  for (auto head = after; here_last_ != 0 && head != heads_->end(); ++head) {
    if (head->late == 0 || head->late > decision_seq) continue;
    const Late* late = TRY(this->late(*head));
    const auto row = late->rows.find(decision_seq);
    if (row != late->rows.end()) return Found{TRY(block(head->last)), row->second};
  }
  if (open_ == nullptr || open_ == here_) return Found{};
  const auto [at, fresh] = late_.try_emplace(0);
  if (fresh) TRY(read(*open_, at->second.rows, open_->records().front().seq));
  const auto row = at->second.rows.find(decision_seq);
  return row == at->second.rows.end() ? Found{} : Found{open_, row->second};
}

}  // namespace yett::audit
