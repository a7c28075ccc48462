#include "audit/reader.h"

#include <algorithm>
#include <utility>
#include <variant>

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
    add("substr(" + column + ", 1, " + std::to_string(prefix.size()) + ") = ?", prefix);
  }
  std::string sql() const { return sql_; }
  void bindTo(store::Statement& statement) const {
    int index = 0;
    for (const auto& value : values_) {
      ++index;
      if (const auto* number = std::get_if<int64_t>(&value)) statement.bind(index, *number);
      else statement.bind(index, std::get<std::string>(value));
    }
  }

 private:
  void add(const std::string& clause, std::variant<int64_t, std::string> value) {
    sql_ += (sql_.empty() ? " WHERE " : " AND ") + clause;
    values_.push_back(std::move(value));
  }
  std::string sql_;
  std::vector<std::variant<int64_t, std::string>> values_;
};

Conditions common(const Query& query, const std::string& table) {
  Conditions out;
  if (query.since) out.number(table + ".time >= ?", *query.since);
  if (query.until) out.number(table + ".time < ?", *query.until);
  if (query.after_seq > 0) out.number(table + ".seq > ?", query.after_seq);
  return out;
}

std::string tail(const Query& query, const std::string& table) {
  return " ORDER BY " + table + ".seq " + (query.newest ? "DESC" : "ASC") + " LIMIT " + std::to_string(query.limit);
}

}  // namespace

Result<Reader> Reader::open(const std::string& database) {
  return Reader(TRY(store::Database::open(database, store::Database::Mode::kRead)));
}

Result<std::vector<Row>> Reader::decisions(const Query& query) {
  Conditions where = common(query, "d");
  where.text("d.effect", query.effect);
  where.text("d.principal", query.principal);
  where.text("d.method", query.method);
  where.text("d.path", query.path);
  where.text("d.policy", query.policy);
  where.text("d.rule", query.rule);
  where.text("d.id", query.id);
  store::Statement rows = TRY(db_.prepare(
      "SELECT d.seq, d.time, d.id, d.listener, d.route, d.principal, d.method, d.host, d.path, "
      "d.raw_target, d.effect, d.policy, d.rule, d.reason, d.errors,"
      " d.engine, d.policy_digest, d.reads, d.would_deny, d.eval_ns, d.cached, o.seq, o.status, o.bytes_in, "
      "o.bytes_out, o.duration_us, o.upstream, o.result"
      " FROM decisions d LEFT JOIN outcomes o ON o.decision_seq = d.seq" +
      where.sql() + tail(query, "d")));
  where.bindTo(rows);
  std::vector<Row> out;
  while (TRY(rows.step())) {
    Row row{};
    row.seq = rows.integer(0);
    row.time = rows.integer(1);
    std::string* const texts[] = {&row.id,    &row.listener,  &row.route,      &row.principal, &row.method,
                                  &row.host,  &row.path,      &row.raw_target, &row.effect,    &row.policy,
                                  &row.rule,  &row.reason,    &row.errors,     &row.engine,    &row.policy_digest,
                                  &row.reads, &row.would_deny};
    int column = 2;
    for (auto* text : texts) *text = rows.text(column++);
    row.eval_ns = rows.integer(19);
    row.cached = rows.integer(20) != 0;
    row.ended = rows.integer(21) != 0;
    row.status = rows.integer(22);
    row.bytes_in = rows.integer(23);
    row.bytes_out = rows.integer(24);
    row.duration_us = rows.integer(25);
    row.upstream = rows.text(26);
    row.result = rows.text(27);
    out.push_back(std::move(row));
  }
  if (query.newest) std::reverse(out.begin(), out.end());
  return out;
}

Result<std::vector<EventRow>> Reader::events(const Query& query) {
  const Conditions where = common(query, "e");
  store::Statement rows = TRY(db_.prepare("SELECT e.seq, e.time, e.count, e.what, e.subject, e.detail FROM events e" +
                                          where.sql() + tail(query, "e")));
  where.bindTo(rows);
  std::vector<EventRow> out;
  while (TRY(rows.step())) {
    out.push_back({rows.integer(0), rows.integer(1), rows.integer(2), std::string(rows.text(3)),
                   std::string(rows.text(4)), std::string(rows.text(5))});
  }
  if (query.newest) std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace yett::audit
