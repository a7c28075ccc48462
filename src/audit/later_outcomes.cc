#include "audit/later_outcomes.h"

namespace yett::audit {

Result<OutcomeFinder*> LaterOutcomes::finder(size_t file) {
  auto& later = later_[file];
  if (later) return later->finder.get();
  auto reader = Reader::open(files_[file]);
  if (!reader && nameNow(files_[file])) return std::move(reader).error();
  later = std::make_unique<Later>();
  if (!reader) return nullptr;
  later->reader.emplace(std::move(reader).value());
  later->source = std::make_unique<BlockSource>(later->reader->database());
  later->heads = TRY(later->source->heads(0));
  if (auto open = TRY(later->source->tail())) later->open = std::make_unique<OpenBlock>(std::move(*open));
  later->finder = std::make_unique<OutcomeFinder>(*later->source, later->heads);
  if (later->open) later->finder->setOpen(&later->open->data);
  later->finder->enterBefore();
  return later->finder.get();
}

Status LaterOutcomes::complete(size_t file, Row& row) {
  Fields fields;
  for (size_t later = file + 1; !row.ended && later < files_.size(); ++later) {
    OutcomeFinder* const found = TRY(finder(later));
    if (found != nullptr && TRY(found->find(row.seq, fields))) addOutcome(fields, row);
  }
  return {};
}

}  // namespace yett::audit
