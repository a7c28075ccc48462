#include "audit/sql_cursor.h"

#include <algorithm>

namespace yett::audit {

// Once per statement, which sees one snapshot.
Status SqlCursor::load() {
  if (loaded_) return {};
  heads_ = TRY(source_.heads(0));
  open_ = TRY(source_.tail());
  finder_.emplace(source_, heads_);
  if (open_) finder_->setOpen(&open_->data);
  loaded_ = true;
  return {};
}

Status SqlCursor::begin(const Query& query, bool descending, std::optional<int64_t> decision) {
  TRY(load());
  search_.emplace(query);
  descending_ = descending;
  block_ = 0;
  data_ = nullptr;
  return decision ? beginAt(*decision) : nextBlock();
}

// Begins with the outcome of one decision.
Status SqlCursor::beginAt(int64_t decision) {
  block_ = heads_.size() + 1;  // no other block follows
  rows_.clear();
  at_ = 0;
  const auto head = std::lower_bound(heads_.begin(), heads_.end(), decision,
                                     [](const BlockHead& h, int64_t seq) { return h.last < seq; });
  if (head != heads_.end() && kept_last_ != head->last) {
    kept_ = TRY(source_.body(head->last));
    if (!kept_) return {};
    kept_last_ = head->last;
    TRY(finder_->enter(*kept_, head->last));
  } else if (head == heads_.end()) {
    if (!open_) return {};
    if (kept_last_ != 0) TRY(finder_->enter(open_->data, 0));
    kept_last_ = 0;
  }
  const auto found = TRY(finder_->locate(decision));
  data_ = found.data;
  rows_.push_back(found.row);
  return {};
}

Status SqlCursor::enter(BlockData& data) {
  at_ = 0;
  rows_.clear();
  if (kind_ == Kind::kDecision) {
    rows_ = TRY(search_->rows(data));
  } else {
    const auto& distances = TRY(data.numbers(kind_, Place::kDecisionSeq))->rows();
    for (uint32_t row = 0; row < distances.size(); ++row) {
      const int64_t seq = data.record(kind_, row).seq;
      const auto& query = search_->query();
      if (distances[row] != 0 && seq > query.after_seq && seq <= query.up_to_seq) rows_.push_back(row);
    }
  }
  if (descending_) std::reverse(rows_.begin(), rows_.end());
  if (!rows_.empty()) data_ = &data;
  return {};
}

// Moves to the next block with a matching row.
Status SqlCursor::nextBlock() {
  data_ = nullptr;
  const size_t count = heads_.size() + 1;
  while (data_ == nullptr && block_ < count) {
    const size_t place = descending_ ? count - 1 - block_ : block_;
    ++block_;
    if (place == heads_.size()) {
      if (open_) TRY(enter(open_->data));
      continue;
    }
    const BlockHead& head = heads_[place];
    const auto& query = search_->query();
    if (kind_ == Kind::kOutcome ? head.last <= query.after_seq || head.first > query.up_to_seq
                                : !search_->mayBeIn(head) || !search_->mayBeIn(TRY(source_.filter(head.last))))
      continue;
    kept_ = TRY(source_.body(head.last));
    kept_last_ = -1;
    if (kept_) TRY(enter(*kept_));
  }
  return {};
}

Status SqlCursor::next() {
  return ++at_ < rows_.size() ? Status() : nextBlock();
}

Result<int64_t> SqlCursor::number(size_t column) {
  const int64_t out = TRY(data_->numbers(kind_, column))->rows()[rows_[at_]];
  if (kind_ == Kind::kOutcome && column == Place::kDecisionSeq) return out == 0 ? 0 : seq() - out;
  return out;
}

}  // namespace yett::audit
