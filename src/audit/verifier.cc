#include "audit/verifier.h"

#include <algorithm>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/record.h"
#include "base/sha256.h"
#include "base/text.h"
#include "store/database.h"

namespace yett::audit {
namespace {

// Rows of one plain table, walked beside the chain in the same order.
class TableWalk {
 public:
  static Result<TableWalk> open(store::Database& db, Kind kind) {
    const Layout& l = layout(kind);
    std::string columns = "seq";
    for (size_t i = 0; i < l.count; ++i) columns += std::string(",") + l.columns[i].name;
    TableWalk out(l, TRY(db.prepare("SELECT " + columns + " FROM " + l.table + " ORDER BY seq")));
    TRY(out.advance());
    return out;
  }

  /// Compares the current row with a link's fields and moves on. "" where they agree.
  Result<std::string> compare(int64_t seq, const Fields& fields) {
    if (!row_ || rows_.integer(0) != seq) return std::string("its row is missing from table `") + layout_->table + "`";
    for (size_t i = 0; i < layout_->count; ++i) {
      const Column& c = layout_->columns[i];
      const int column = static_cast<int>(i) + 1;
      const size_t key = static_cast<size_t>(c.key);
      const bool same = c.text ? rows_.text(column) == fields.text[key] : rows_.integer(column) == fields.number[key];
      if (!same) return std::string("column `") + c.name + "` of table `" + layout_->table + "` differs from the link";
    }
    TRY(advance());
    return std::string();
  }

  /// A row that no link stands for, or 0.
  int64_t leftover() const { return row_ ? rows_.integer(0) : 0; }
  const char* table() const { return layout_->table; }

 private:
  TableWalk(const Layout& l, store::Statement rows) : layout_(&l), rows_(std::move(rows)) {}
  Status advance() {
    row_ = TRY(rows_.step());
    return {};
  }
  const Layout* layout_;
  store::Statement rows_;
  bool row_ = false;
};

std::string at(int64_t seq, const std::string& what) {
  return "record " + std::to_string(seq) + ": " + what;
}

}  // namespace

namespace {

// "" where the checkpoint is good.
std::string checkCheckpoint(const Fields& fields, const std::string& log_id, int64_t seq, std::string_view prev,
                            const Expected& expected, Verification& out) {
  const auto key = fields.text[3];
  if (key.size() != 32 || !verifySignature(key, checkpointMessage(log_id, seq, prev), fields.text[4]))
    return "its signature is not good";
  if (!expected.public_key.empty() && key != expected.public_key)
    return "it is a checkpoint by another key, " + keyId(key) + ", than the one it is compared with, " +
           keyId(expected.public_key);
  const std::string id = keyId(key);
  if (std::find(out.keys.begin(), out.keys.end(), id) == out.keys.end()) out.keys.push_back(id);
  ++out.checkpoints;
  out.signed_seq = seq;
  return {};
}

}  // namespace

Result<Verification> verify(const std::string& path, const Expected& expected,
                            const std::function<void(int64_t)>& progress) {
  store::Database db = TRY(store::Database::open(path, store::Database::Mode::kRead));
  TRY(db.execute("BEGIN"));  // one snapshot, also of a log that is being written
  store::Statement links = TRY(db.prepare("SELECT seq, kind, prev, bytes, hash FROM links ORDER BY seq"));
  std::vector<TableWalk> tables;
  for (const Kind kind : {Kind::kDecision, Kind::kOutcome, Kind::kEvent})
    tables.push_back(TRY(TableWalk::open(db, kind)));
  Verification out;
  base::Sha256Hasher hasher;
  base::Sha256 head{};
  Fields fields;
  std::string log_id;
  while (TRY(links.step())) {
    const int64_t seq = links.integer(0);
    const int64_t kind = links.integer(1);
    const auto fail = [&](const std::string& what) {
      out.broken = at(seq, what);
      return out;
    };
    if (out.links == 0) out.first_seq = seq;
    else if (seq != out.last_seq + 1) ++out.gaps;
    if (out.links == 0 && kind != static_cast<int64_t>(Kind::kLog))
      return fail("the log does not begin with its first link");
    if (links.text(2) != base::view(head))
      return fail("it does not follow the record before it: one was removed, inserted or moved");
    head = hasher.update(links.text(2)).update(links.text(3)).finish();
    if (links.text(4) != base::view(head)) return fail("its content was changed");
    if (!decode(links.text(3), fields) || fields.number[0] != kind || fields.number[1] != seq)
      return fail("its content is not a canonical record");
    if (kind == 0) log_id = fields.text[5];
    if (seq == expected.checkpoint_seq && base::hex(base::view(head)) != expected.checkpoint_hash)
      return fail("it is not the checkpoint that was saved: the log was written anew");
    if (kind == static_cast<int64_t>(Kind::kCheckpoint)) {
      const std::string wrong = checkCheckpoint(fields, log_id, seq, links.text(2), expected, out);
      if (!wrong.empty()) return fail(wrong);
    } else if (kind >= 1 && kind <= 3) {
      const std::string differs = TRY(tables[static_cast<size_t>(kind) - 1].compare(seq, fields));
      if (!differs.empty()) return fail(differs);
    } else if (kind != 0) {
      return fail("it is of an unknown kind");
    }
    out.last_seq = seq;
    if (++out.links % 100'000 == 0) progress(out.links);
  }
  for (const auto& table : tables) {
    if (table.leftover() == 0) continue;
    out.broken = at(table.leftover(), std::string("a row in table `") + table.table() + "` that no link stands for");
    return out;
  }
  if (out.links == 0) out.broken = "the log has no first link";
  else if (out.last_seq < expected.checkpoint_seq)
    out.broken = "the log ends with record " + std::to_string(out.last_seq) + ", before the saved checkpoint " +
                 std::to_string(expected.checkpoint_seq) + ": its tail was cut off";
  out.authenticated = out.broken.empty() && out.checkpoints > 0 && !expected.public_key.empty();
  out.head = base::hex(base::view(head));
  return out;
}

}  // namespace yett::audit
