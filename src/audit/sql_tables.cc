#include "audit/sql_tables.h"

#include <cstdlib>
#include <cstring>

#include "audit/sql_cursor.h"
#include "store/sqlite.h"

namespace yett::audit {
namespace {

constexpr double kRows = 1e7;  // assumed size of a table, for the query planner

struct Table {
  sqlite3_vtab base;
  store::Database db;
  Kind kind;
};

struct Cursor {
  sqlite3_vtab_cursor base;
  SqlCursor rows;
};

Table& tableOf(sqlite3_vtab* table) {
  return *reinterpret_cast<Table*>(table);
}
Cursor& cursorOf(sqlite3_vtab_cursor* cursor) {
  return *reinterpret_cast<Cursor*>(cursor);
}

// The SQL columns. Decisions: `seq`, those of the layout, `erased`. Outcomes: those of the layout, with `seq` after the
// first.
struct Columns {
  explicit Columns(Kind kind) : l(layout(kind)), decisions(kind == Kind::kDecision) {}
  int seq() const { return decisions ? 0 : 1; }
  int erased() const { return decisions ? static_cast<int>(l.count) + 1 : -1; }
  int count() const { return static_cast<int>(l.count) + (decisions ? 2 : 1); }
  /// Its place in the layout. REQUIRES: it is neither seq() nor erased().
  size_t place(int column) const { return static_cast<size_t>(column > seq() ? column - 1 : column); }
  std::string declaration() const {
    std::string out = "CREATE TABLE t(";
    for (int i = 0; i < count(); ++i) {
      if (i > 0) out += ", ";
      if (i == seq()) out += "seq INTEGER";
      else if (i == erased()) out += "erased INTEGER";
      else out += std::string(l.columns[place(i)].name) + (l.columns[place(i)].text ? " TEXT" : " INTEGER");
    }
    return out + ")";
  }
  const Layout& l;
  bool decisions;
};

int fail(sqlite3_vtab* table, const std::string& why) {
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("%s", why.c_str());
  return SQLITE_ERROR;
}

// No exception may reach SQLite.
template <typename Step>
int guarded(sqlite3_vtab* table, Step step) {
  try {
    const Status done = step();
    return done ? SQLITE_OK : fail(table, done.error().message);
  } catch (const std::exception& e) {
    return fail(table, e.what());
  }
}

int connect(sqlite3* db, void* kind, int, const char* const*, sqlite3_vtab** out, char**) {
  const auto which = static_cast<Kind>(reinterpret_cast<intptr_t>(kind));
  if (const int status = sqlite3_declare_vtab(db, Columns(which).declaration().c_str()); status != SQLITE_OK)
    return status;
  *out = &(new Table{{}, store::Database::borrow(db), which})->base;
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* table) {
  delete &tableOf(table);
  return SQLITE_OK;
}

// How a constraint can be used; 0 if it cannot.
char usable(const Columns& columns, const sqlite3_index_info::sqlite3_index_constraint& c) {
  const bool equal = c.op == SQLITE_INDEX_CONSTRAINT_EQ;
  const bool range = c.op == SQLITE_INDEX_CONSTRAINT_GT || c.op == SQLITE_INDEX_CONSTRAINT_GE ||
                     c.op == SQLITE_INDEX_CONSTRAINT_LT || c.op == SQLITE_INDEX_CONSTRAINT_LE;
  const int column = c.iColumn < 0 ? columns.seq() : c.iColumn;
  if (c.usable == 0 || (!equal && !range) || column >= columns.count() || column == columns.erased()) return 0;
  if (column == columns.seq()) return 's';
  const size_t place = columns.place(column);
  if (!columns.decisions) return place == Place::kDecisionSeq && equal ? 'd' : 0;
  if (place == Place::kTime) return 't';
  return columns.l.columns[place].text && equal ? 'x' : 0;
}

// filter() gets three characters for each argument: how it is used, the operator, the column.
int bestIndex(sqlite3_vtab* table, sqlite3_index_info* info) {
  const Columns columns(tableOf(table).kind);
  std::string plan;
  double rows = kRows;
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& c = info->aConstraint[i];
    const char what = usable(columns, c);
    if (what == 0) continue;
    // Texts are compared byte by byte here, which is wrong if the statement says NOCASE.
    if (what == 'x' && std::string_view(sqlite3_vtab_collation(info, i)) != "BINARY") continue;
    info->aConstraintUsage[i].argvIndex = static_cast<int>(plan.size() / 3) + 1;
    const int column = c.iColumn < 0 ? columns.seq() : c.iColumn;
    plan += what;
    plan += static_cast<char>(c.op);
    plan += static_cast<char>(1 + column);
    const bool one = (what == 's' || what == 'd') && c.op == SQLITE_INDEX_CONSTRAINT_EQ;
    rows = one ? 1 : rows / (what == 'x' ? 20 : 4);
  }
  info->estimatedCost = rows + 100;
  info->estimatedRows = static_cast<sqlite3_int64>(rows + 1);
  if (info->nOrderBy == 1 && (info->aOrderBy[0].iColumn == columns.seq() || info->aOrderBy[0].iColumn < 0)) {
    info->orderByConsumed = 1;
    info->idxNum = info->aOrderBy[0].desc;
  }
  info->idxStr = sqlite3_mprintf("%s", plan.c_str());
  info->needToFreeIdxStr = 1;
  return info->idxStr == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

int open(sqlite3_vtab* table, sqlite3_vtab_cursor** out) {
  Table& t = tableOf(table);
  *out = &(new Cursor{{}, SqlCursor(t.db, t.kind)})->base;
  return SQLITE_OK;
}

int close(sqlite3_vtab_cursor* cursor) {
  delete &cursorOf(cursor);
  return SQLITE_OK;
}

// A range of whole numbers, both ends included.
struct Range {
  int64_t least = INT64_MIN, most = INT64_MAX;
  void narrow(int op, int64_t value) {
    if (op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_GE) least = std::max(least, value);
    if (op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_LE) most = std::min(most, value);
    if (op == SQLITE_INDEX_CONSTRAINT_GT) least = std::max(least, value == INT64_MAX ? value : value + 1);
    if (op == SQLITE_INDEX_CONSTRAINT_LT) most = std::min(most, value == INT64_MIN ? value : value - 1);
  }
};

int filter(sqlite3_vtab_cursor* cursor, int descending, const char* plan, int count, sqlite3_value** values) {
  return guarded(cursor->pVtab, [&] {
    const Columns columns(tableOf(cursor->pVtab).kind);
    Query query;
    Range seqs, times;
    std::optional<int64_t> decision;
    for (int i = 0; i < count; ++i, plan += 3) {
      const char what = plan[0];
      const int op = static_cast<unsigned char>(plan[1]);
      sqlite3_value* value = values[i];
      // SQLite compares again by its own rules; values of other types are left to it.
      if (what == 'x') {
        if (sqlite3_value_type(value) != SQLITE_TEXT) continue;
        query.exactly.emplace_back(columns.place(plan[2] - 1),
                                   std::string(reinterpret_cast<const char*>(sqlite3_value_text(value)),
                                               static_cast<size_t>(sqlite3_value_bytes(value))));
        continue;
      }
      if (sqlite3_value_type(value) != SQLITE_INTEGER) continue;
      const int64_t number = sqlite3_value_int64(value);
      if (what == 's') seqs.narrow(op, number);
      if (what == 't') times.narrow(op, number);
      if (what == 'd') decision = number;
    }
    query.after_seq = std::max<int64_t>(0, seqs.least == INT64_MIN ? 0 : seqs.least - 1);
    query.up_to_seq = seqs.most;
    if (times.least != INT64_MIN) query.since = times.least;
    if (times.most != INT64_MAX) query.until = times.most + 1;
    return cursorOf(cursor).rows.begin(query, descending != 0, decision);
  });
}

int next(sqlite3_vtab_cursor* cursor) {
  return guarded(cursor->pVtab, [&] { return cursorOf(cursor).rows.next(); });
}

int eof(sqlite3_vtab_cursor* cursor) {
  return cursorOf(cursor).rows.atEnd() ? 1 : 0;
}

int column(sqlite3_vtab_cursor* cursor, sqlite3_context* to, int i) {
  return guarded(cursor->pVtab, [&]() -> Status {
    const Columns columns(tableOf(cursor->pVtab).kind);
    SqlCursor& rows = cursorOf(cursor).rows;
    if (i == columns.seq()) return sqlite3_result_int64(to, rows.seq()), Status();
    if (i == columns.erased()) return sqlite3_result_int(to, rows.erased() ? 1 : 0), Status();
    const size_t place = columns.place(i);
    if (!columns.l.columns[place].text) return sqlite3_result_int64(to, TRY(rows.number(place))), Status();
    const std::string_view text = TRY(rows.text(place));
    sqlite3_result_text64(to, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return {};
  });
}

int rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
  *out = cursorOf(cursor).rows.seq();
  return SQLITE_OK;
}

const sqlite3_module& module() {
  static const sqlite3_module kModule = [] {
    sqlite3_module m{};
    m.xConnect = connect;  // no xCreate: the tables exist without CREATE, and cannot be created again
    m.xBestIndex = bestIndex;
    m.xDisconnect = disconnect;
    m.xOpen = open;
    m.xClose = close;
    m.xFilter = filter;
    m.xNext = next;
    m.xEof = eof;
    m.xColumn = column;
    m.xRowid = rowid;
    return m;
  }();
  return kModule;
}

}  // namespace

Status addSqlTables(store::Database& db) {
  for (const Kind kind : {Kind::kDecision, Kind::kOutcome}) {
    void* which = reinterpret_cast<void*>(static_cast<intptr_t>(kind));
    if (sqlite3_create_module_v2(db.handle(), layout(kind).table, &module(), which, nullptr) != SQLITE_OK)
      return Error{std::string("table `") + layout(kind).table + "` cannot be created"};
    // The first statement that names a table creates it: do that now, while everything is still allowed.
    TRY(db.prepare(std::string("SELECT seq FROM ") + layout(kind).table + " LIMIT 0"));
  }
  return {};
}

}  // namespace yett::audit
