#include "audit/reader.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

#include "audit/block_filter.h"
#include "audit/policies.h"
#include "base/uuid7.h"

namespace yett::audit {
namespace {

constexpr const char* kColumns =
    "SELECT d.seq, d.time, d.id, d.listener, d.route, d.principal, d.method, d.host, d.path, d.raw_target, d.effect, "
    "d.policy, d.rule, d.reason, d.errors, d.engine, d.policy_digest, d.reads, d.would_deny, d.protocol, d.source, "
    "d.eval_ns, d.cached, length(d.salt), o.seq, o.status, o.bytes_in, o.bytes_out, o.duration_us, o.upstream, "
    "o.result, o.shadow FROM decisions d LEFT JOIN outcomes o ON o.decision_seq = d.seq";

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
  /// Binds from this place on.
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

Conditions conditionsOf(const Query& query) {
  Conditions where = timesOf(query, "d");
  where.text("d.effect", query.effect);
  if (query.anonymous) where.exactly("d.principal", "");
  where.text("d.principal", query.principal);
  where.text("d.method", query.method);
  where.text("d.path", query.path);
  where.text("d.policy", query.policy);
  where.text("d.rule", query.rule);
  where.text("d.id", query.id);
  return where;
}

// What a block must hold for the query to find anything in it.
class Wanted {
 public:
  explicit Wanted(const Query& q) {
    const auto effect = add(Term::kEffect, q.effect);
    const auto principal = add(Term::kPrincipal, q.principal);
    const auto path = add(Term::kPath, q.path);
    add(Term::kMethod, q.method);
    add(Term::kPolicy, q.policy);
    add(Term::kRule, q.rule);
    for (const auto& [a, b] : {std::pair(effect, principal), std::pair(effect, path), std::pair(principal, path)}) {
      if (a && b) tokens_.push_back(both(*a, *b));
    }
  }
  bool mayBeIn(std::string_view filter) const {
    return std::all_of(tokens_.begin(), tokens_.end(), [&](Token token) { return mayContain(filter, token); });
  }

 private:
  std::optional<Token> add(Term term, const std::string& wanted) {
    if (wanted.empty()) return std::nullopt;
    if (wanted.back() != '*') {
      tokens_.push_back(tokenOf(term, wanted));
      return tokens_.back();
    }
    const auto slash = wanted.rfind('/');
    const bool few = std::count(wanted.begin(), wanted.end(), '/') <= 8;  // prefixes that are in a filter
    if (slash != std::string::npos && few && (term == Term::kPath || term == Term::kPrincipal))
      tokens_.push_back(prefixToken(term, std::string_view(wanted).substr(0, slash + 1)));
    return std::nullopt;
  }
  std::vector<Token> tokens_;
};

Row rowOf(store::Statement& rows) {
  Row row{};
  row.seq = rows.integer(0);
  row.time = rows.integer(1);
  std::string* const texts[] = {&row.id,    &row.listener,   &row.route,      &row.principal, &row.method,
                                &row.host,  &row.path,       &row.raw_target, &row.effect,    &row.policy,
                                &row.rule,  &row.reason,     &row.errors,     &row.engine,    &row.policy_digest,
                                &row.reads, &row.would_deny, &row.protocol,   &row.source};
  int column = 2;
  for (auto* text : texts) *text = rows.text(column++);
  row.eval_ns = rows.integer(column++);
  row.cached = rows.integer(column++) != 0;
  row.erased = rows.integer(column++) == 0;
  row.ended = rows.integer(column++) != 0;
  row.status = rows.integer(column++);
  row.bytes_in = rows.integer(column++);
  row.bytes_out = rows.integer(column++);
  row.duration_us = rows.integer(column++);
  row.upstream = rows.text(column++);
  row.result = rows.text(column++);
  row.shadow = rows.text(column);
  return row;
}

// A UUIDv7 says when it was made: a search for one looks there only.
Query narrowed(Query query) {
  const auto millis = base::uuid7Millis(query.id);
  if (!millis) return query;
  constexpr int64_t kMargin = 1'000'000;
  query.since = std::max(query.since.value_or(INT64_MIN), *millis * 1000 - kMargin);
  query.until = std::min(query.until.value_or(INT64_MAX), *millis * 1000 + kMargin);
  return query;
}

}  // namespace

Result<Reader> Reader::open(const std::string& database) {
  Reader out(TRY(store::Database::open(database, store::Database::Mode::kRead)));
  const auto read = [&out]() -> Result<int64_t> {
    auto version = TRY(out.db_.prepare("PRAGMA user_version"));
    TRY(version.step());
    return version.integer(0);
  }();
  if (!read) return Error{database + ": is no audit log: " + read.error().message};
  const int64_t number = read.value();
  if (number != 2 && number != 3) return Error{database + ": is no audit log of this version of yett"};
  return out;
}

// Where to look, oldest first: blocks that may hold what is asked for, and the decisions after the last block.
Result<std::vector<Reader::Stretch>> Reader::stretches(const Query& query) {
  const Wanted wanted(query);
  std::vector<Stretch> out;
  auto blocks = TRY(db_.prepare("SELECT first, last, time_min, time_max, filter FROM blocks ORDER BY last"));
  int64_t last = 0;
  const auto add = [&](int64_t first, int64_t end) {
    first = std::max(first, query.after_seq + 1);
    end = std::min(end, query.up_to_seq);
    if (first > end) return;
    if (!out.empty() && out.back().last + 1 == first) out.back().last = end;
    else out.push_back({first, end});
  };
  while (TRY(blocks.step())) {
    const int64_t before = last;
    last = blocks.integer(1);
    if ((query.since && blocks.integer(3) < *query.since) || (query.until && blocks.integer(2) >= *query.until))
      continue;
    if (wanted.mayBeIn(blocks.text(4))) add(before + 1, last);
  }
  add(last + 1, INT64_MAX);
  return out;
}

Result<std::vector<Row>> Reader::decisions(const Query& asked) {
  const Query query = narrowed(asked);
  TRY(db_.execute("BEGIN"));
  const Conditions where = conditionsOf(query);
  std::vector<Row> out;
  auto run = [&]() -> Status {
    auto places = TRY(stretches(query));
    if (query.newest) std::reverse(places.begin(), places.end());
    auto rows = TRY(db_.prepare(std::string(kColumns) + " WHERE d.seq BETWEEN ? AND ?" + where.sql() +
                                " ORDER BY d.seq " + (query.newest ? "DESC" : "ASC") + " LIMIT ?"));
    for (const auto& place : places) {
      if (static_cast<int64_t>(out.size()) >= query.limit) break;
      rows.reset();
      rows.bind(1, place.first).bind(2, place.last);
      where.bindTo(rows, 3);
      rows.bind(3 + where.size(), query.limit - static_cast<int64_t>(out.size()));
      while (TRY(rows.step())) out.push_back(rowOf(rows));
    }
    return {};
  };
  auto done = run();
  (void)db_.execute("COMMIT");
  if (!done) return std::move(done).error();
  if (query.newest) std::reverse(out.begin(), out.end());
  return out;
}

// In pages, each a short transaction: the writer can empty its write-ahead log in between.
Status Reader::each(const Query& asked, const std::function<bool(const Row&)>& take) {
  constexpr int64_t kPage = 5000;
  const Query query = narrowed(asked);
  const Conditions where = conditionsOf(query);
  const auto places = TRY(stretches(query));
  auto rows = TRY(db_.prepare(std::string(kColumns) + " WHERE d.seq BETWEEN ? AND ?" + where.sql() +
                              " ORDER BY d.seq LIMIT " + std::to_string(kPage)));
  for (const auto& place : places) {
    for (int64_t next = place.first;;) {
      int64_t count = 0;
      rows.reset();
      rows.bind(1, next).bind(2, place.last);
      where.bindTo(rows, 3);
      while (TRY(rows.step())) {
        const Row row = rowOf(rows);
        next = row.seq + 1;
        ++count;
        if (!take(row)) return rows.reset(), Status();
      }
      if (count < kPage) break;
    }
  }
  return {};
}

const std::vector<std::string>& groupable() {
  static const std::vector<std::string> kNames = {"effect",   "principal", "policy", "rule",
                                                  "method",   "path",      "host",   "route",
                                                  "listener", "source",    "reason", "policy_digest"};
  return kNames;
}

Result<std::vector<Group>> Reader::groups(const Query& asked, const std::vector<std::string>& by) {
  const Query query = narrowed(asked);
  const Conditions where = conditionsOf(query);
  std::string columns;
  for (const auto& name : by) {
    if (std::find(groupable().begin(), groupable().end(), name) == groupable().end())
      return Error{"`" + name + "` is not a column to group by"};
    const bool personal =
        name == "principal" || name == "path" || name == "host" || name == "source" || name == "reason";
    columns += personal ? "CASE WHEN length(d.salt) = 0 THEN '(erased)' ELSE d." + name + " END," : "d." + name + ",";
  }
  std::string keys = columns;
  if (!keys.empty()) keys = " GROUP BY " + keys.substr(0, keys.size() - 1);
  const auto places = TRY(stretches(query));
  auto rows = TRY(db_.prepare("SELECT " + columns +
                              "count(*), sum(d.effect = 'deny'), sum(d.errors <> ''), min(d.time), max(d.time) FROM "
                              "decisions d WHERE d.seq BETWEEN ? AND ?" +
                              where.sql() + keys));
  std::map<std::vector<std::string>, Group> found;
  constexpr int64_t kPage = 1'000'000;
  const auto range = TRY(this->range());
  for (const auto& place : places) {
    const int64_t last = std::min(place.last, range.second);
    for (int64_t first = std::max(place.first, range.first); first <= last; first += kPage) {
      rows.reset();
      rows.bind(1, first).bind(2, std::min(last, first + kPage - 1));
      where.bindTo(rows, 3);
      while (TRY(rows.step())) {
        const int at = static_cast<int>(by.size());
        if (rows.integer(at) == 0) continue;
        std::vector<std::string> key;
        for (int i = 0; i < at; ++i) key.emplace_back(rows.text(i));
        Group& group = found[key];
        group.first = group.count == 0 ? rows.integer(at + 3) : std::min(group.first, rows.integer(at + 3));
        group.last = std::max(group.last, rows.integer(at + 4));
        group.count += rows.integer(at);
        group.denied += rows.integer(at + 1);
        group.errors += rows.integer(at + 2);
        group.key = std::move(key);
      }
    }
  }
  std::vector<Group> out;
  for (auto& [key, group] : found) out.push_back(std::move(group));
  std::stable_sort(out.begin(), out.end(), [](const Group& a, const Group& b) { return a.count > b.count; });
  if (static_cast<int64_t>(out.size()) > query.limit) out.resize(static_cast<size_t>(query.limit));
  return out;
}

Result<bool> hasCallers(store::Database& db) {
  auto row = TRY(db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'event_callers'"));
  return TRY(row.step());
}

Result<std::vector<EventRow>> Reader::events(const Query& query) {
  const Conditions where = timesOf(query, "e");
  const bool callers = TRY(hasCallers(db_));
  const std::string more =
      callers ? "coalesce(c.caller, ''), coalesce(c.about, ''), c.seq IS NOT NULL AND length(c.salt) = 0" : "'', '', 0";
  auto rows = TRY(db_.prepare("SELECT e.seq, e.time, e.count, e.what, e.subject, e.detail, " + more + " FROM events e" +
                              (callers ? " LEFT JOIN event_callers c ON c.seq = e.seq" : "") +
                              " WHERE e.seq BETWEEN ? AND ?" + where.sql() + " ORDER BY e.seq " +
                              (query.newest ? "DESC" : "ASC") + " LIMIT " + std::to_string(query.limit)));
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
  const bool others = !(query.effect + query.method + query.path + query.policy + query.rule + query.id).empty();
  if (others || !TRY(hasCallers(db_))) return out;
  Conditions where = timesOf(query, "e");
  if (query.anonymous) where.exactly("c.caller", "");
  where.text("c.caller", query.principal);
  auto rows =
      TRY(db_.prepare("SELECT e.seq FROM event_callers c JOIN events e ON e.seq = c.seq WHERE length(c.salt) > 0 AND "
                      "e.seq BETWEEN ? AND ?" +
                      where.sql() + " ORDER BY e.seq"));
  rows.bind(1, query.after_seq + 1).bind(2, query.up_to_seq);
  where.bindTo(rows, 3);
  while (TRY(rows.step())) out.push_back(rows.integer(0));
  return out;
}

Result<std::pair<int64_t, int64_t>> Reader::range() {
  auto row = TRY(db_.prepare(
      "SELECT (SELECT coalesce(min(seq), 0) FROM decisions), (SELECT coalesce(max(seq), 0) FROM decisions)"));
  TRY(row.step());
  return std::pair(row.integer(0), row.integer(1));
}

Result<std::string> Reader::policySource(const std::string& digest) {
  return readPolicy(db_, digest);
}

}  // namespace yett::audit
