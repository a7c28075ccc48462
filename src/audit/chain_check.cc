#include "audit/chain_check.h"

#include <memory>

#include "audit/block_filter.h"
#include "audit/chain_writer.h"
#include "audit/checkpoint.h"
#include "audit/erase.h"
#include "audit/policies.h"
#include "audit/reader.h"
#include "audit/record_keys.h"
#include "audit/retention.h"
#include "base/text.h"

namespace yett::audit {
namespace {

std::string at(int64_t seq, const std::string& what) {
  return "record " + std::to_string(seq) + ": " + what;
}

// Text as bytes, or a number as text, is the same here and another thing for a query: columns begin at 1.
std::string wrongType(const store::Statement& row, const Layout& layout) {
  for (size_t i = 0; i < layout.count; ++i) {
    const auto wanted = layout.columns[i].text ? store::Statement::Type::kText : store::Statement::Type::kInteger;
    if (row.type(static_cast<int>(i) + 1) != wanted)
      return std::string("column `") + layout.columns[i].name + "` of table `" + layout.table + "` is of another type";
  }
  return {};
}

// Rows of one plain table, walked beside the chain in the same order.
class TableWalk {
 public:
  static Result<TableWalk> open(store::Database& db, const Layout& l, bool salted, int64_t first, int64_t last) {
    std::string columns = "seq";
    for (size_t i = 0; i < l.count; ++i) columns += std::string(",") + l.columns[i].name;
    if (salted) columns += ",salt";
    TableWalk out(
        l, TRY(db.prepare("SELECT " + columns + " FROM " + l.table + " WHERE seq BETWEEN ? AND ? ORDER BY seq")));
    out.rows_.bind(1, first).bind(2, last);
    TRY(out.advance());
    return out;
  }

  /// Compares the current row with a link's fields. "" where they agree. Personal columns are put into `fields`.
  std::string compare(int64_t seq, Fields& fields) {
    if (!row_ || rows_.integer(0) != seq) return std::string("its row is missing from table `") + layout_->table + "`";
    if (std::string wrong = wrongType(rows_, *layout_); !wrong.empty()) return wrong;
    for (size_t i = 0; i < layout_->count; ++i) {
      const Column& c = layout_->columns[i];
      const int column = static_cast<int>(i) + 1;
      const size_t key = static_cast<size_t>(c.key);
      if (c.personal) {
        fields.text[key] = rows_.text(column);
        continue;
      }
      const bool same = c.text ? rows_.text(column) == fields.text[key] : rows_.integer(column) == fields.number[key];
      if (!same) return std::string("column `") + c.name + "` of table `" + layout_->table + "` differs from the link";
    }
    return {};
  }
  bool saltIsWhole() const {
    const bool bytes = rows_.type(static_cast<int>(layout_->count) + 1) == store::Statement::Type::kBlob;
    return bytes && (salt().empty() || salt().size() == kSaltSize);
  }
  std::string_view salt() const { return rows_.text(static_cast<int>(layout_->count) + 1); }
  Status advance() {
    row_ = TRY(rows_.step());
    return {};
  }

  /// A row that no link stands for, or 0.
  int64_t leftover() const { return row_ ? rows_.integer(0) : 0; }
  const char* table() const { return layout_->table; }
  const Layout& columns() const { return *layout_; }

 private:
  TableWalk(const Layout& l, store::Statement rows) : layout_(&l), rows_(std::move(rows)) {}
  const Layout* layout_;
  store::Statement rows_;
  bool row_ = false;
};

// The filters that queries trust: none may hide a decision.
class BlockWalk {
 public:
  static Result<BlockWalk> open(store::Database& db, int64_t first) {
    BlockWalk out(
        TRY(db.prepare("SELECT first, last, filter, time_min, time_max FROM blocks WHERE last >= ? ORDER BY last")));
    out.rows_.bind(1, first);
    out.row_ = TRY(out.rows_.step());
    return out;
  }
  Result<std::string> check(int64_t seq, const Fields& f, bool erased) {
    while (row_ && seq > rows_.integer(1)) row_ = TRY(rows_.step());
    if (!row_) return std::string();
    const auto filter = rows_.text(2);
    bool hidden = seq < rows_.integer(0) || f.number[DecisionKey::kTime] < rows_.integer(3) ||
                  f.number[DecisionKey::kTime] > rows_.integer(4);
    if (erased) {
      hidden = hidden || !filter.empty();  // it must tell nothing of what was erased
    } else if (!filter.empty()) {
      hidden = hidden || !mayHold(filter, {f.text[DecisionKey::kEffect], f.text[DecisionKey::kPrincipal],
                                           f.text[DecisionKey::kMethod], f.text[DecisionKey::kPath],
                                           f.text[DecisionKey::kPolicy], f.text[DecisionKey::kRule]});
    }
    return std::string(hidden ? "table `blocks` hides it from queries" : "");
  }

 private:
  explicit BlockWalk(store::Statement rows) : rows_(std::move(rows)) {}
  store::Statement rows_;
  bool row_ = false;
};

class Stretch {
 public:
  static Result<std::unique_ptr<Stretch>> open(store::Database& db, int64_t first, int64_t last,
                                               const std::string& log_id) {
    std::vector<TableWalk> tables;
    for (const Kind kind : {Kind::kDecision, Kind::kEvent, Kind::kHeartbeat})
      tables.push_back(TRY(TableWalk::open(db, layout(kind), kind == Kind::kDecision, first, last)));
    if (TRY(hasCallers(db))) tables.push_back(TRY(TableWalk::open(db, callerLayout(), true, first, last)));
    auto outcome = TRY(
        db.prepare("SELECT seq, decision_seq, status, upstream, bytes_in, bytes_out, duration_us, result, shadow FROM "
                   "outcomes WHERE decision_seq = ?"));
    auto policy = TRY(db.prepare("SELECT document FROM policies WHERE digest = ?"));
    return std::unique_ptr<Stretch>(
        new Stretch(std::move(tables), TRY(BlockWalk::open(db, first)), std::move(outcome), std::move(policy), log_id));
  }

  /// "" or what is wrong with the link.
  Result<std::string> take(int64_t seq, int64_t kind, std::string_view prev, std::string_view bytes,
                           std::string_view hash) {
    if (out.links == 0) {
      out.first_seq = seq;
      out.first_prev = prev;
      out.begins_log = kind == 0;
      if (prev.size() != head_.size()) return std::string("it does not follow any record");
    } else {
      if (seq != out.last_seq + 1) ++out.gaps;
      if (prev != base::view(head_))
        return std::string("it does not follow the record before it: one was removed, inserted or moved");
    }
    head_ = hasher_.update(prev).update(bytes).finish();
    if (hash != base::view(head_)) return std::string("its content was changed");
    if (!decode(bytes, fields_) || fields_.number[LinkKey::kKind] != kind || fields_.number[LinkKey::kSeq] != seq)
      return std::string("its content is not a canonical record");
    if (kind == 0 && fields_.text[LogKey::kLogId] != log_id_)
      return std::string("it begins another log than table `meta` says");
    std::string wrong = TRY(checkKind(seq, kind, prev));
    if (!wrong.empty()) return wrong;
    out.last_seq = seq;
    ++out.links;
    return std::string();
  }

  void end() {
    out.head = base::hex(base::view(head_));
    for (const auto& table : tables_) {
      if (table.leftover() == 0 || !out.broken.empty()) continue;
      out.broken = at(table.leftover(), std::string("a row in table `") + table.table() + "` that no link stands for");
    }
  }

  StretchResult out;

 private:
  Stretch(std::vector<TableWalk> tables, BlockWalk blocks, store::Statement outcome, store::Statement policy,
          const std::string& log_id)
      : tables_(std::move(tables)),
        blocks_(std::move(blocks)),
        outcome_(std::move(outcome)),
        policy_(std::move(policy)),
        log_id_(log_id) {}

  Result<std::string> checkKind(int64_t seq, int64_t kind, std::string_view prev) {
    switch (static_cast<Kind>(kind)) {
      case Kind::kLog: return std::string();
      case Kind::kDecision: return checkDecision(seq);
      case Kind::kOutcome: return checkOutcome(seq);
      case Kind::kEvent: return checkEvent(seq);
      case Kind::kCheckpoint: return checkCheckpoint(seq, prev);
      case Kind::kHeartbeat: return checkRow(tables_[2], seq);
    }
    return std::string("it is of an unknown kind");
  }

  Result<std::string> checkRow(TableWalk& table, int64_t seq) {
    std::string wrong = table.compare(seq, fields_);
    if (wrong.empty()) TRY(table.advance());
    return wrong;
  }

  // The row's personal columns, and the commitment that the link has to them.
  std::string checkPersonal(TableWalk& table, int64_t seq, bool& erased) {
    const std::string_view commitment = fields_.text[LinkKey::kCommitment];
    std::string wrong = table.compare(seq, fields_);
    if (!wrong.empty()) return wrong;
    encodePersonal(table.columns(), fields_, personal_);
    if (!table.saltIsWhole()) return std::string("its salt is of another form");
    erased = table.salt().empty();
    if (erased) {
      if (personal_.personal_entries > 0) return std::string("its personal fields have lost their salt");
      out.erased.push_back(seq);
    } else {
      bytes_.clear();
      personalBytes(personal_.personal, personal_.personal_entries, bytes_);
      const auto hash = hasher_.update(table.salt()).update(bytes_).finish();
      if (commitment != base::view(hash))
        return std::string("its personal fields in table `") + table.table() + "` are not those that were recorded";
    }
    return {};
  }

  Result<std::string> checkDecision(int64_t seq) {
    TableWalk& table = tables_[0];
    bool erased = false;
    std::string wrong = checkPersonal(table, seq, erased);
    if (wrong.empty()) wrong = TRY(blocks_.check(seq, fields_, erased));
    if (!wrong.empty()) return wrong;
    TRY(table.advance());
    return std::string();
  }

  Result<std::string> checkOutcome(int64_t seq) {
    if (fields_.number[OutcomeKey::kDecisionSeq] == 0) return std::string();  // its decision was lost: no row
    outcome_.bind(1, fields_.number[OutcomeKey::kDecisionSeq]);
    std::string wrong;
    if (!TRY(outcome_.step()) || outcome_.integer(0) != seq) {
      wrong = "its row is missing from table `outcomes`";
    } else {
      const Layout& l = layout(Kind::kOutcome);
      wrong = wrongType(outcome_, l);
      for (size_t i = 0; i < l.count && wrong.empty(); ++i) {
        const size_t key = static_cast<size_t>(l.columns[i].key);
        const int column = static_cast<int>(i) + 1;
        if (l.columns[i].text ? outcome_.text(column) != fields_.text[key]
                              : outcome_.integer(column) != fields_.number[key])
          wrong = std::string("column `") + l.columns[i].name + "` of table `outcomes` differs from the link";
      }
    }
    outcome_.reset();
    ++out.outcomes;
    return wrong;
  }

  Result<std::string> checkEvent(int64_t seq) {
    const auto what = fields_.text[EventKey::kWhat];
    if (what == kErasedEvent || what == kRetentionEvent || what == kUnsignedEvent || what == kSigningEvent)
      out.events.push_back(
          {seq, std::string(what), std::string(fields_.text[EventKey::kDetail]), fields_.number[EventKey::kCount]});
    if (what == kPolicyEvent) {
      policy_.bind(1, fields_.text[EventKey::kSubject]);
      const bool there = TRY(policy_.step());
      const bool same = there && base::sha256Hex(policy_.text(0)) == fields_.text[EventKey::kDetail];
      policy_.reset();
      if (there && !same)
        return std::string("the source of policy ") + std::string(fields_.text[EventKey::kSubject]) + " was changed";
      if (!there) out.events.push_back({seq, std::string(what), std::string(fields_.text[EventKey::kSubject]), 1});
    }
    if (!fields_.text[LinkKey::kCommitment].empty()) {
      if (tables_.size() < 4) return std::string("table `event_callers` is missing");
      bool erased = false;
      std::string wrong = checkPersonal(tables_[3], seq, erased);
      if (!wrong.empty()) return wrong;
      TRY(tables_[3].advance());
    }
    return checkRow(tables_[1], seq);
  }

  std::string checkCheckpoint(int64_t seq, std::string_view prev) {
    const auto key = fields_.text[CheckpointKey::kPublicKey];
    const auto next = fields_.text[CheckpointKey::kNextKey];
    if (key.size() != 32 || (!next.empty() && next.size() != 32) ||
        !verifySignature(key, checkpointMessage(log_id_, seq, prev, next), fields_.text[CheckpointKey::kSignature]))
      return "its signature is not good";
    out.checkpoints.push_back({seq, std::string(key), std::string(next)});
    return {};
  }

  std::vector<TableWalk> tables_;  // decisions, events, heartbeats, and where there are any event_callers
  BlockWalk blocks_;
  store::Statement outcome_;
  store::Statement policy_;
  const std::string& log_id_;
  base::Sha256Hasher hasher_;
  base::Sha256 head_{};
  Fields fields_;
  Encoded personal_;
  std::string bytes_;
};

}  // namespace

Result<StretchResult> checkStretch(store::Database& db, int64_t first, int64_t last, const std::string& log_id,
                                   const std::function<void(int64_t)>& progress) {
  constexpr int64_t kTell = 50'000;
  auto links = TRY(db.prepare("SELECT seq, kind, prev, bytes, hash FROM links WHERE seq BETWEEN ? AND ? ORDER BY seq"));
  links.bind(1, first).bind(2, last);
  const auto opened = TRY(Stretch::open(db, first, last, log_id));
  Stretch& stretch = *opened;
  while (TRY(links.step())) {
    const int64_t seq = links.integer(0);
    const std::string wrong = TRY(stretch.take(seq, links.integer(1), links.text(2), links.text(3), links.text(4)));
    if (!wrong.empty()) {
      stretch.out.broken = at(seq, wrong);
      return std::move(stretch.out);
    }
    if (stretch.out.links % kTell == 0) progress(kTell);
  }
  stretch.end();
  return std::move(stretch.out);
}

}  // namespace yett::audit
