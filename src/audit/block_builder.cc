#include "audit/block_builder.h"

#include <algorithm>
#include <utility>

#include "audit/record_keys.h"
#include "base/check.h"
#include "base/turns.h"
#include "block/varint.h"

namespace yett::audit {
namespace {

constexpr size_t kAtOnce = 256;  // how many records go into the columns at once, column by column

// The columns that a query may filter by, and the filter's term for each.
struct Filtered {
  size_t column;
  Term term;
};
constexpr size_t kTerms = 6;
constexpr std::array<Filtered, kTerms> kFiltered = {{{9, Term::kEffect},
                                                     {4, Term::kPrincipal},
                                                     {7, Term::kPath},
                                                     {5, Term::kMethod},
                                                     {10, Term::kPolicy},
                                                     {11, Term::kRule}}};
constexpr size_t kDecisionColumnCount = 22;
constexpr size_t kOutcomeColumnCount = 8;

const Layout& decisionLayout() {
  static const Layout& kLayout = layout(Kind::kDecision);
  return kLayout;
}
const Layout& outcomeLayout() {
  static const Layout& kLayout = layout(Kind::kOutcome);
  return kLayout;
}

// A stream of bytes, and how much of it was written in pieces.
struct Bytes {
  std::string bytes;
  size_t written = 0;

  void write(block::Packer& packer, std::string& out) const { packer.pack(bytes, out); }
  void writeNew(std::string& out) {
    block::putPlain(std::string_view(bytes).substr(written), out);
    written = bytes.size();
  }
  void clear() {
    bytes.clear();
    written = 0;
  }
};

}  // namespace

struct BlockBuilder::Columns {
  Columns() {
    for (size_t i = 0; i < kDecisionColumnCount; ++i) decision_numbers.emplace_back(numbersOf(Kind::kDecision, i));
    for (size_t i = 0; i < kOutcomeColumnCount; ++i) outcome_numbers.emplace_back(numbersOf(Kind::kOutcome, i));
  }
  void clear() {
    for (auto* part : {&kinds, &jumps, &marks, &commitments}) part->clear();
    ids.clear();
    for (auto& column : decision_texts) column.clear();
    for (auto& column : decision_numbers) column.clear();
    for (auto& column : outcome_texts) column.clear();
    for (auto& column : outcome_numbers) column.clear();
    filter.clear();
    for (auto& tokens : tokens_of) tokens.clear();
  }

  block::Packer packer;
  Bytes kinds, jumps, marks, commitments;
  block::IdColumn ids;
  std::array<block::TextColumn, kDecisionColumnCount> decision_texts;
  std::vector<block::NumberColumn> decision_numbers;
  std::array<block::TextColumn, kOutcomeColumnCount> outcome_texts;
  std::vector<block::NumberColumn> outcome_numbers;

  std::vector<Fields> decisions, outcomes;           // to go into the columns next
  std::array<std::vector<uint32_t>, kTerms> places;  // of the texts that go into the filter

  BlockFilter filter;
  std::array<std::vector<Token>, kTerms> tokens_of;  // by the numbers of the texts
};

BlockBuilder::BlockBuilder() : columns_(std::make_unique<Columns>()) {}
BlockBuilder::~BlockBuilder() = default;

bool BlockBuilder::full() const {
  return decisions_ >= kBlockDecisions || kept_.size() >= kBlockRecords || size_ >= kBlockBytes;
}

void BlockBuilder::add(const Linked& r) {
  YETT_CHECK(kept_.empty() || r.seq > kept_.back().seq);
  Kept& kept =
      kept_.emplace_back(Kept{r.kind, r.mark, r.entries, r.personal_entries, r.seq, r.decision_seq, {}, {}, {}});
  if (r.kind == Kind::kDecision) ++decisions_;
  if (r.kind != Kind::kDecision && r.kind != Kind::kOutcome) return;
  kept.fields = bytes_.copy(r.fields);
  kept.personal = bytes_.copy(r.personal);
  kept.commitment = bytes_.copy(r.commitment);
  size_ += r.fields.size() + r.personal.size();
}

// Moves what is new into the columns.
void BlockBuilder::fill() {
  auto& decisions = columns_->decisions;
  auto& outcomes = columns_->outcomes;
  while (filled_ < kept_.size()) {
    decisions.clear();
    outcomes.clear();
    const size_t end = std::min(filled_ + kAtOnce, kept_.size());
    for (; filled_ < end; ++filled_) {
      const Kept& kept = kept_[filled_];
      const int64_t before = filled_ == 0 ? kept.seq - 1 : kept_[filled_ - 1].seq;
      if (kept.seq != before + 1) {
        block::putVarint(filled_, columns_->jumps.bytes);
        block::putVarint(static_cast<uint64_t>(kept.seq - before), columns_->jumps.bytes);
      }
      const bool erased = !kept.commitment.empty();
      columns_->kinds.bytes += static_cast<char>(static_cast<unsigned char>(kept.kind) | (erased ? kErasedFlag : 0));
      columns_->marks.bytes += kept.mark;
      columns_->commitments.bytes += kept.commitment;
      if (kept.kind != Kind::kDecision && kept.kind != Kind::kOutcome) continue;
      Fields& fields = (kept.kind == Kind::kDecision ? decisions : outcomes).emplace_back();
      decodeFields(kept.fields, kept.entries, fields);
      decodeFields(kept.personal, kept.personal_entries, fields);
      if (kept.kind != Kind::kOutcome) continue;
      fields.number[OutcomeKey::kDecisionSeq] = kept.decision_seq == 0 ? 0 : kept.seq - kept.decision_seq;
      if (kept.decision_seq != 0 && kept.decision_seq < kept_.front().seq)
        late_ = late_ == 0 ? kept.decision_seq : std::min(late_, kept.decision_seq);
    }
    fillDecisions(decisions);
    fillOutcomes(outcomes);
    base::Turns::next();
  }
}

void BlockBuilder::fillDecisions(const std::vector<Fields>& rows) {
  Columns& c = *columns_;
  for (auto& places : c.places) places.clear();
  std::string target;
  for (size_t i = 0; i < kDecisionColumnCount; ++i) {
    const Column& column = decisionLayout().columns[i];
    const auto key = static_cast<size_t>(column.key);
    if (!column.text) {
      for (const Fields& row : rows) c.decision_numbers[i].add(row.number[key]);
    } else if (i == Place::kId) {
      for (const Fields& row : rows) c.ids.add(row.text[key], row.number[DecisionKey::kTime]);
    } else if (i == Place::kRawTarget) {
      for (const Fields& row : rows) {
        const bool escaped = row.text[key].starts_with('=');
        if (escaped) target.assign(1, '=').append(row.text[key]);
        c.decision_texts[i].add(row.text[key] == row.text[DecisionKey::kPath] ? "="
                                : escaped                                     ? std::string_view(target)
                                                                              : row.text[key]);
      }
    } else {
      const auto filtered =
          std::find_if(kFiltered.begin(), kFiltered.end(), [i](const auto& f) { return f.column == i; });
      if (filtered == kFiltered.end()) {
        for (const Fields& row : rows) (void)c.decision_texts[i].add(row.text[key]);
        continue;
      }
      auto& places = c.places[static_cast<size_t>(filtered - kFiltered.begin())];
      for (const Fields& row : rows) places.push_back(static_cast<uint32_t>(c.decision_texts[i].add(row.text[key])));
    }
  }
  // The filter gets each distinct value once, and the pairs of each row.
  for (size_t t = 0; t < kTerms; ++t) {
    const auto& texts = c.decision_texts[kFiltered[t].column];
    auto& tokens = c.tokens_of[t];
    while (tokens.size() < texts.entries())
      tokens.push_back(c.filter.add(kFiltered[t].term, texts.entry(tokens.size())));
  }
  for (size_t row = 0; row < rows.size(); ++row) {
    const Token effect = c.tokens_of[0][c.places[0][row]];
    const Token principal = c.tokens_of[1][c.places[1][row]];
    const Token path = c.tokens_of[2][c.places[2][row]];
    c.filter.addPairs(effect, principal, path);
    const int64_t time = rows[row].number[DecisionKey::kTime];
    time_min_ = timed_ ? std::min(time_min_, time) : time;
    time_max_ = timed_ ? std::max(time_max_, time) : time;
    timed_ = true;
  }
}

void BlockBuilder::fillOutcomes(const std::vector<Fields>& rows) {
  for (size_t i = 0; i < kOutcomeColumnCount; ++i) {
    const Column& column = outcomeLayout().columns[i];
    const auto key = static_cast<size_t>(column.key);
    for (const Fields& row : rows) {
      if (column.text) columns_->outcome_texts[i].add(row.text[key]);
      else columns_->outcome_numbers[i].add(row.number[key]);
    }
  }
}

// Writes the records from `from` on; `whole`: packed.
std::string BlockBuilder::write(size_t from, std::string_view salts, bool whole) {
  Columns& c = *columns_;
  size_t decisions = 0;
  size_t outcomes = 0;
  for (size_t i = from; i < kept_.size(); ++i) {
    decisions += kept_[i].kind == Kind::kDecision ? 1 : 0;
    outcomes += kept_[i].kind == Kind::kOutcome ? 1 : 0;
  }
  std::string sections;
  std::array<size_t, Section::kCount> sizes{};
  const auto put = [&](size_t section, auto& column, size_t rows) {
    const size_t before = sections.size();
    if (rows > 0) {
      if (whole) column.write(c.packer, sections);
      else column.writeNew(sections);
    }
    sizes[section] = sections.size() - before;
    base::Turns::next();
  };
  const size_t records = kept_.size() - from;
  put(Section::kKinds, c.kinds, records);
  put(Section::kJumps, c.jumps, records);
  put(Section::kMarks, c.marks, records);
  sizes[Section::kSalts] = salts.size();
  sections += salts;
  put(Section::kCommitments, c.commitments, records);
  for (size_t i = 0; i < kDecisionColumnCount; ++i) {
    const size_t section = Section::kDecisions + i;
    if (i == Place::kId) put(section, c.ids, decisions);
    else if (decisionLayout().columns[i].text) put(section, c.decision_texts[i], decisions);
    else put(section, c.decision_numbers[i], decisions);
  }
  for (size_t i = 0; i < kOutcomeColumnCount; ++i) {
    const size_t section = Section::kOutcomes + i;
    if (outcomeLayout().columns[i].text) put(section, c.outcome_texts[i], outcomes);
    else put(section, c.outcome_numbers[i], outcomes);
  }
  std::string out(1, kBlockVersion);
  block::putVarint(records, out);
  block::putVarint(decisions, out);
  block::putVarint(static_cast<uint64_t>(kept_[from].seq), out);
  block::putVarint(sizes.size(), out);
  for (const size_t size : sizes) block::putVarint(size, out);
  return out += sections;
}

std::string BlockBuilder::piece() {
  fill();
  YETT_CHECK(written_ < kept_.size());
  return write(std::exchange(written_, kept_.size()), "", false);
}

std::string BlockBuilder::body(std::string_view salts) {
  fill();
  YETT_CHECK(!kept_.empty());
  return write(0, salts, true);
}

std::string BlockBuilder::filter() {
  fill();
  return columns_->filter.encode();
}

void BlockBuilder::clear() {
  kept_.clear();
  filled_ = written_ = size_ = decisions_ = 0;
  time_min_ = time_max_ = late_ = 0;
  timed_ = false;
  bytes_.clear();
  columns_->clear();
}

}  // namespace yett::audit
