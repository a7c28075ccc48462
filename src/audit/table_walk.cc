#include "audit/table_walk.h"

namespace yett::audit {
namespace {

// Bytes instead of text, or text instead of a number, look equal here but not to a query. Columns begin at 1.
std::string wrongType(const store::Statement& row, const Layout& layout) {
  for (size_t i = 0; i < layout.count; ++i) {
    const auto wanted = layout.columns[i].text ? store::Statement::Type::kText : store::Statement::Type::kInteger;
    if (row.type(static_cast<int>(i) + 1) != wanted)
      return std::string("column `") + layout.columns[i].name + "` of table `" + layout.table +
             "` is of the wrong type";
  }
  return {};
}

}  // namespace

Result<TableWalk> TableWalk::open(store::Database& db, const Layout& l, bool salted, int64_t first, int64_t last) {
  std::string columns = "seq";
  for (size_t i = 0; i < l.count; ++i) columns += std::string(",") + l.columns[i].name;
  if (salted) columns += ",salt";
  TableWalk out(l,
                TRY(db.prepare("SELECT " + columns + " FROM " + l.table + " WHERE seq BETWEEN ? AND ? ORDER BY seq")));
  out.rows_.bind(1, first).bind(2, last);
  TRY(out.advance());
  return out;
}

std::string TableWalk::compare(int64_t seq, Fields& fields) {
  if (row_ && rows_.integer(0) < seq)
    return std::string("a row in table `") + layout_->table + "` that matches no record, " +
           std::to_string(rows_.integer(0));
  if (!row_ || rows_.integer(0) != seq) return std::string("its row is missing from table `") + layout_->table + "`";
  if (std::string wrong = wrongType(rows_, *layout_); !wrong.empty()) return wrong;
  for (size_t i = 0; i < layout_->count; ++i) {
    const Column& c = layout_->columns[i];
    const int column = static_cast<int>(i) + 1;
    const auto key = static_cast<size_t>(c.key);
    if (c.personal) {
      fields.text[key] = rows_.text(column);
      continue;
    }
    const bool same = c.text ? rows_.text(column) == fields.text[key] : rows_.integer(column) == fields.number[key];
    if (!same) return std::string("column `") + c.name + "` of table `" + layout_->table + "` differs from the record";
  }
  return {};
}

Status TableWalk::advance() {
  row_ = TRY(rows_.step());
  return {};
}

bool TableWalk::saltIsWhole() const {
  const bool bytes = rows_.type(static_cast<int>(layout_->count) + 1) == store::Statement::Type::kBlob;
  return bytes && (salt().empty() || salt().size() == kSaltSize);
}

}  // namespace yett::audit
