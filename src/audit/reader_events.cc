// Events are plain rows.
#include <algorithm>
#include <variant>

#include "audit/reader.h"
#include "store/database.h"

namespace yett::audit {
namespace {

// WHERE clauses and the values they are bound to, in order.
class Conditions {
 public:
  void number(const std::string& clause, int64_t value) { add(clause, value); }
  void text(const std::string& column, const std::string& wanted) {
    if (wanted.empty()) return;
    if (wanted.back() != '*') return add(column + " = ?", wanted);
    const std::string prefix = wanted.substr(0, wanted.size() - 1);
    // Bytes, not characters.
    add("substr(CAST(" + column + " AS BLOB), 1, " + std::to_string(prefix.size()) + ") = CAST(? AS BLOB)", prefix);
  }
  void exactly(const std::string& column, const std::string& wanted) { add(column + " = ?", wanted); }
  std::string sql() const { return sql_; }
  int size() const { return static_cast<int>(values_.size()); }
  /// Binds the values from this index on.
  void bindTo(store::Statement& statement, int index = 1) const {
    for (const auto& value : values_) {
      if (const auto* number = std::get_if<int64_t>(&value)) statement.bind(index, *number);
      else statement.bind(index, std::string_view(std::get<std::string>(value)));
      ++index;
    }
  }

 private:
  void add(const std::string& clause, std::variant<int64_t, std::string> value) {
    sql_ += " AND " + clause;
    values_.push_back(std::move(value));
  }
  std::string sql_;
  std::vector<std::variant<int64_t, std::string>> values_;
};

Conditions timesOf(const Query& query, const std::string& table) {
  Conditions out;
  if (query.since) out.number(table + ".time >= ?", *query.since);
  if (query.until) out.number(table + ".time < ?", *query.until);
  return out;
}

}  // namespace

Result<std::vector<EventRow>> Reader::events(const Query& query) {
  const Conditions where = timesOf(query, "e");
  auto rows = TRY(db_->prepare(
      "SELECT e.seq, e.time, e.count, e.what, e.subject, e.detail, coalesce(c.caller, ''), coalesce(c.about, ''), "
      "c.seq IS NOT NULL AND length(c.salt) = 0 FROM events e LEFT JOIN event_callers c ON c.seq = e.seq WHERE e.seq "
      "BETWEEN ? AND ?" +
      where.sql() + " ORDER BY e.seq " + (query.newest ? "DESC" : "ASC") + " LIMIT " + std::to_string(query.limit)));
  rows.bind(1, query.after_seq + 1).bind(2, query.up_to_seq);
  where.bindTo(rows, 3);
  std::vector<EventRow> out;
  while (TRY(rows.step())) {
    out.push_back({rows.integer(0), rows.integer(1), rows.integer(2), std::string(rows.text(3)),
                   std::string(rows.text(4)), std::string(rows.text(5)), std::string(rows.text(6)),
                   std::string(rows.text(7)), rows.integer(8) != 0});
  }
  if (query.newest) std::reverse(out.begin(), out.end());
  return out;
}

Result<std::vector<int64_t>> Reader::callerEvents(const Query& query) {
  std::vector<int64_t> out;
  const bool others = !query.exactly.empty() || !(query.effect + query.method + query.path + query.policy + query.rule +
                                                  query.id + query.host + query.source)
                                                     .empty();
  if (others) return out;
  Conditions where = timesOf(query, "e");
  if (query.anonymous) where.exactly("c.caller", "");
  where.text("c.caller", query.principal);
  auto rows = TRY(db_->prepare(
      "SELECT e.seq, c.caller FROM event_callers c JOIN events e ON e.seq = c.seq WHERE length(c.salt) > 0 AND "
      "e.seq BETWEEN ? AND ?" +
      where.sql() + " ORDER BY e.seq"));
  rows.bind(1, query.after_seq + 1).bind(2, query.up_to_seq);
  where.bindTo(rows, 3);
  while (TRY(rows.step())) {
    if (!query.principal_fits || query.principal_fits(rows.text(1))) out.push_back(rows.integer(0));
  }
  return out;
}

}  // namespace yett::audit
