#include "audit/block_data.h"

#include "audit/record_keys.h"
#include "base/sha256.h"
#include "block/varint.h"

namespace yett::audit {
namespace {

constexpr size_t kDecisionColumnCount = Section::kOutcomes - Section::kDecisions;
constexpr size_t kOutcomeColumnCount = Section::kCount - Section::kOutcomes;
constexpr size_t kHashSize = sizeof(base::Sha256);

size_t sectionOf(Kind kind, size_t column) {
  return (kind == Kind::kDecision ? Section::kDecisions : Section::kOutcomes) + column;
}

}  // namespace

struct BlockData::Part {
  std::string bytes;
  std::array<std::string_view, Section::kCount> sections{};
  size_t records = 0, decisions = 0, outcomes = 0;
};

struct BlockData::Columns {
  Columns() {
    for (size_t i = 0; i < kDecisionColumnCount; ++i) numbers[0].emplace_back(numbersOf(Kind::kDecision, i));
    for (size_t i = 0; i < kOutcomeColumnCount; ++i) numbers[1].emplace_back(numbersOf(Kind::kOutcome, i));
    texts[0].resize(kDecisionColumnCount);
    texts[1].resize(kOutcomeColumnCount);
  }
  std::array<std::vector<block::TextValues>, 2> texts;  // of decisions, of outcomes
  std::array<std::vector<block::NumberValues>, 2> numbers;
  block::IdValues ids;
  std::array<size_t, 2> loaded{};                  // how many parts are in all columns of decisions, of outcomes
  std::array<size_t, Section::kCount> parts_in{};  // how many parts are unpacked
};

BlockData::BlockData() : columns_(std::make_unique<Columns>()) {}
BlockData::~BlockData() = default;
BlockData::BlockData(BlockData&&) noexcept = default;
BlockData& BlockData::operator=(BlockData&&) noexcept = default;

std::string_view BlockData::salts() const {
  return parts_.empty() ? std::string_view() : parts_.front().sections[Section::kSalts];
}

Status BlockData::take(std::string bytes) {
  Part& part = parts_.emplace_back();
  part.bytes = std::move(bytes);
  std::string_view from(part.bytes);
  std::string_view version;
  uint64_t records = 0;
  uint64_t decisions = 0;
  uint64_t first = 0;
  uint64_t count = 0;
  if (!block::takeBytes(from, 1, version) || version[0] != kBlockVersion) return Error{"a block of an unknown version"};
  if (!block::takeVarint(from, records) || !block::takeVarint(from, decisions) || !block::takeVarint(from, first) ||
      !block::takeVarint(from, count))
    return Error{"a block that is cut off"};
  if (records == 0 || records_.size() + records > block::kMaxRows || decisions > records || first == 0 ||
      first > INT64_MAX || count != Section::kCount)
    return Error{"a block with an invalid header"};
  std::array<uint64_t, Section::kCount> sizes{};
  for (auto& size : sizes) {
    if (!block::takeVarint(from, size)) return Error{"a block that is cut off"};
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (!block::takeBytes(from, sizes[i], part.sections[i])) return Error{"a block that is cut off"};
  }
  if (!from.empty()) return Error{"a block with data after its sections"};
  part.records = records;
  part.decisions = decisions;
  const size_t before = records_.size();
  if (before == 0) last_seq_ = first - 1;
  TRY(readRecords(part));
  if (records_[before].seq != static_cast<int64_t>(first)) return Error{"a block with a wrong first record number"};
  return {};
}

// Reads kinds, numbers, marks and commitments.
Status BlockData::readRecords(Part& part) {
  std::array<std::string, 4> kept;
  const std::string_view kinds = TRY(block::takeStream(part.sections[Section::kKinds], block::kMaxRows, kept[0]));
  std::string_view jumps = TRY(block::takeStream(part.sections[Section::kJumps], 20 * block::kMaxRows, kept[1]));
  const std::string_view marks = TRY(block::takeStream(part.sections[Section::kMarks], block::kMaxRows, kept[2]));
  const std::string_view commitments =
      TRY(block::takeStream(part.sections[Section::kCommitments], kHashSize * block::kMaxRows, kept[3]));
  if (kinds.size() != part.records || marks.size() != part.records)
    return Error{"another number of records than in the header"};
  uint64_t jump_at = UINT64_MAX;
  uint64_t jump = 0;
  const auto nextJump = [&] {
    return jumps.empty() ? (jump_at = UINT64_MAX, true)
                         : block::takeVarint(jumps, jump_at) && block::takeVarint(jumps, jump);
  };
  if (!nextJump()) return Error{"a jump that is cut off"};
  const size_t base = records_.size();
  size_t erased = 0;
  for (size_t i = 0; i < part.records; ++i) {
    const auto flags = static_cast<unsigned char>(kinds[i]);
    const auto kind = static_cast<Kind>(flags & ~kErasedFlag);
    const bool gone = (flags & kErasedFlag) != 0;
    if (kind > Kind::kHeartbeat || (gone && kind != Kind::kDecision)) return Error{"a record of an unknown kind"};
    uint64_t step = 1;
    if (jump_at == base + i) {
      step = jump;
      if (step < 2 || !nextJump()) return Error{"an invalid jump of the record number"};
    }
    last_seq_ += step;
    if (step > INT64_MAX || last_seq_ > INT64_MAX) return Error{"a record with a number out of range"};
    size_t row = 0;
    if (kind == Kind::kDecision) {
      row = places_[0].size();
      places_[0].push_back(static_cast<uint32_t>(records_.size()));
      commitments_.push_back(gone ? static_cast<uint32_t>(++erased_) : 0);
      erased += gone ? 1 : 0;
    } else if (kind == Kind::kOutcome) {
      row = places_[1].size();
      places_[1].push_back(static_cast<uint32_t>(records_.size()));
      ++part.outcomes;
    }
    records_.push_back({kind, gone, marks[i], static_cast<int64_t>(last_seq_), static_cast<uint32_t>(row)});
  }
  size_t all = 0;
  for (const Part& any : parts_) all += any.decisions;
  if (all != places_[0].size() || jump_at != UINT64_MAX) return Error{"another number of decisions than in the header"};
  if (commitments.size() != erased * kHashSize) return Error{"more or fewer commitments than erased decisions"};
  commitment_bytes_ += commitments;
  return {};
}

Result<std::string_view> BlockData::commitment(const Record& record) {
  if (!record.erased) return std::string_view();
  return std::string_view(commitment_bytes_).substr((commitments_[record.row] - 1) * kHashSize, kHashSize);
}

template <typename Values>
Status BlockData::unpack(Kind kind, size_t section, Values& values) {
  for (size_t& in = columns_->parts_in[section]; in < parts_.size(); ++in) {
    const Part& part = parts_[in];
    const size_t rows = kind == Kind::kDecision ? part.decisions : part.outcomes;
    const std::string_view bytes = part.sections[section];
    if (rows == 0 && bytes.empty()) continue;
    const size_t before = values.rows().size();
    TRY(values.take(bytes));
    if (values.rows().size() != before + rows) return Error{"a column with the wrong number of rows"};
  }
  return {};
}

Result<const block::TextValues*> BlockData::texts(Kind kind, size_t column) {
  auto& values = columns_->texts[kind == Kind::kDecision ? 0 : 1][column];
  TRY(unpack(kind, sectionOf(kind, column), values));
  return &values;
}

Result<const block::NumberValues*> BlockData::numbers(Kind kind, size_t column) {
  auto& values = columns_->numbers[kind == Kind::kDecision ? 0 : 1][column];
  TRY(unpack(kind, sectionOf(kind, column), values));
  return &values;
}

Result<const block::IdValues*> BlockData::ids() {
  const auto* times = TRY(numbers(Kind::kDecision, Place::kTime));
  size_t row = columns_->ids.rows();
  for (size_t& in = columns_->parts_in[Section::kDecisions]; in < parts_.size(); ++in) {
    const Part& part = parts_[in];
    if (part.decisions == 0 && part.sections[Section::kDecisions].empty()) continue;
    TRY(columns_->ids.take(part.sections[Section::kDecisions], times->rows().data() + row, part.decisions));
    row += part.decisions;
  }
  return &columns_->ids;
}

Result<std::string_view> BlockData::text(Kind kind, size_t column, size_t row) {
  if (kind == Kind::kDecision && column == Place::kId) return TRY(ids())->text(row);
  std::string_view out = TRY(texts(kind, column))->text(row);
  if (kind != Kind::kDecision || column != Place::kRawTarget) return out;
  if (out == "=") return TRY(texts(kind, Place::kPath))->text(row);
  if (out.starts_with('=')) out.remove_prefix(1);
  return out;
}

Status BlockData::loadAll(Kind kind) {
  const Layout& l = layout(kind);
  size_t& loaded = columns_->loaded[kind == Kind::kDecision ? 0 : 1];
  if (loaded == parts_.size()) return {};
  uint64_t bytes = kind == Kind::kDecision ? TRY(ids())->bytes() : 0;
  for (size_t i = 0; i < l.count; ++i) {
    if (kind == Kind::kDecision && i == Place::kId) continue;
    if (l.columns[i].text) bytes += TRY(texts(kind, i))->bytes();
    else TRY(numbers(kind, i));
  }
  if (bytes > block::kMaxTexts) return Error{"more text than a block may have"};
  loaded = parts_.size();
  return {};
}

Status BlockData::fields(const Record& record, Fields& out) {
  out = {};
  return update(record, out);
}

Status BlockData::update(const Record& record, Fields& out) {
  const Layout& l = layout(record.kind);
  TRY(loadAll(record.kind));
  const size_t which = record.kind == Kind::kDecision ? 0 : 1;
  for (size_t i = 0; i < l.count; ++i) {
    const auto key = static_cast<size_t>(l.columns[i].key);
    if (l.columns[i].text)
      out.text[key] =
          columns_->texts[which][i].rows().empty() ? std::string_view() : columns_->texts[which][i].text(record.row);
    else out.number[key] = columns_->numbers[which][i].rows()[record.row];
  }
  if (record.kind == Kind::kOutcome) {
    const int64_t back = out.number[OutcomeKey::kDecisionSeq];
    if (back < 0 || back >= record.seq) return Error{"an outcome with an invalid decision number"};
    out.number[OutcomeKey::kDecisionSeq] = back == 0 ? 0 : record.seq - back;
    return {};
  }
  out.text[DecisionKey::kId] = columns_->ids.text(record.row);
  auto& target = out.text[DecisionKey::kRawTarget];
  if (target == "=") target = out.text[DecisionKey::kPath];
  else if (target.starts_with('=')) target.remove_prefix(1);
  return {};
}

}  // namespace yett::audit
