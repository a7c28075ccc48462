#include "audit/record_stream.h"

namespace yett::audit {

Result<std::optional<ChainWalk::Step>> RecordStream::next() {
  for (;;) {
    while (walk_) {
      auto step = walk_->next();
      if (!step) return Error{"record " + std::to_string(walk_->at()) + ": " + step.error().message};
      if (!step.value()) break;
      if (step.value()->record->seq <= position_) continue;
      position_ = step.value()->record->seq;
      return step;
    }
    TRY(db_->execute("BEGIN"));
    auto found = more();
    (void)db_->execute("COMMIT");
    if (!TRY(std::move(found))) return std::optional<ChainWalk::Step>();
  }
}

Result<bool> RecordStream::more() {
  if (open_ && TRY(appendPieces())) return true;
  return load();
}

// Appends what was added to the open block since. False: nothing was, or the block is closed by now.
Result<bool> RecordStream::appendPieces() {
  const int64_t have = data_->records().back().seq;
  auto block = TRY(db_->prepare("SELECT 1 FROM blocks WHERE last >= ? LIMIT 1"));
  if (TRY(block.bind(1, have).step())) return false;
  auto pieces = TRY(db_->prepare("SELECT bytes FROM tail WHERE last > ? ORDER BY last"));
  pieces.bind(1, have);
  bool some = false;
  while (TRY(pieces.step())) {
    TRY(data_->take(std::string(pieces.text(0))));
    some = true;
  }
  return some;
}

// Loads the block that has the next record.
Result<bool> RecordStream::load() {
  auto row = TRY(db_->prepare("SELECT last FROM blocks WHERE last > ? ORDER BY last LIMIT 1"));
  if (TRY(row.bind(1, position_).step())) {
    const int64_t last = row.integer(0);
    auto data = TRY(source_.body(last));
    if (!data) return false;
    data_ = std::make_unique<BlockData>(std::move(*data));
    open_ = false;
    TRY(walkFrom(TRY(Salts::read(data_->salts(), data_->rows(Kind::kDecision))), last));
    return true;
  }
  if (TRY(source_.end()).first <= position_) return false;
  auto open = TRY(source_.tail());
  if (!open) return false;
  data_ = std::make_unique<BlockData>(std::move(open->data));
  open_ = true;
  TRY(walkFrom(Salts(open->seed), 0));
  return true;
}

Status RecordStream::walkFrom(Salts salts, int64_t last) {
  walk_.emplace(TRY(ChainWalk::open(*db_, *data_, std::move(salts), TRY(source_.before(last)))));
  return {};
}

}  // namespace yett::audit
