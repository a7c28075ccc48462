#include "store/bulk_insert.h"

#include <sqlite3.h>

namespace yett::store {

// What SQLite calls: an eponymous table (https://sqlite.org/vtab.html 2.1.2) that is scanned from the first row to the
// last.
struct BulkInsert::Module {
  struct Table : sqlite3_vtab {
    BulkInsert* rows;
  };
  struct Cursor : sqlite3_vtab_cursor {
    size_t at;  // of the row's first cell
  };

  static BulkInsert& rowsOf(sqlite3_vtab_cursor* cursor) { return *static_cast<Table*>(cursor->pVtab)->rows; }

  static int connect(sqlite3* db, void* owner, int, const char* const*, sqlite3_vtab** out, char**) {
    auto* rows = static_cast<BulkInsert*>(owner);
    std::string schema = "CREATE TABLE x(c0";
    for (size_t i = 1; i < rows->columns_; ++i) schema += ",c" + std::to_string(i);
    const int status = sqlite3_declare_vtab(db, (schema + ")").c_str());
    if (status != SQLITE_OK) return status;
    auto* table = new Table();
    table->rows = rows;
    *out = table;
    return SQLITE_OK;
  }
  static int disconnect(sqlite3_vtab* table) {
    delete static_cast<Table*>(table);
    return SQLITE_OK;
  }
  static int bestIndex(sqlite3_vtab* table, sqlite3_index_info* info) {
    info->estimatedCost = static_cast<double>(static_cast<Table*>(table)->rows->rows() + 1);
    return SQLITE_OK;
  }
  static int open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
    *out = new Cursor();
    return SQLITE_OK;
  }
  static int close(sqlite3_vtab_cursor* cursor) {
    delete static_cast<Cursor*>(cursor);
    return SQLITE_OK;
  }
  static int filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) {
    static_cast<Cursor*>(cursor)->at = 0;
    return SQLITE_OK;
  }
  static int next(sqlite3_vtab_cursor* cursor) {
    static_cast<Cursor*>(cursor)->at += rowsOf(cursor).columns_;
    return SQLITE_OK;
  }
  static int eof(sqlite3_vtab_cursor* cursor) {
    return static_cast<Cursor*>(cursor)->at >= rowsOf(cursor).cells_.size() ? 1 : 0;
  }
  static int column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int index) {
    const Cell& cell = rowsOf(cursor).cells_[static_cast<Cursor*>(cursor)->at + static_cast<size_t>(index)];
    const int size = static_cast<int>(cell.number);
    switch (cell.type) {
      case Cell::Type::kInteger: sqlite3_result_int64(context, cell.number); break;
      case Cell::Type::kText: sqlite3_result_text(context, cell.data, size, SQLITE_STATIC); break;
      case Cell::Type::kBlob: sqlite3_result_blob(context, cell.data, size, SQLITE_STATIC); break;
    }
    return SQLITE_OK;
  }
  static int rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
    *out = static_cast<sqlite3_int64>(static_cast<Cursor*>(cursor)->at);
    return SQLITE_OK;
  }

  static const sqlite3_module* get() {
    static const sqlite3_module module = [] {
      sqlite3_module m{};
      m.xConnect = connect;
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
    return &module;
  }
};

BulkInsert::~BulkInsert() = default;

Result<std::unique_ptr<BulkInsert>> BulkInsert::create(Database& database, const std::string& table,
                                                       const std::vector<std::string>& columns) {
  std::unique_ptr<BulkInsert> out(new BulkInsert(columns.size()));
  const std::string source = "new_" + table;
  if (sqlite3_create_module_v2(database.db_.get(), source.c_str(), Module::get(), out.get(), nullptr) != SQLITE_OK)
    return database.failure("cannot make the table " + source);
  std::string names;
  std::string values;
  for (size_t i = 0; i < columns.size(); ++i) {
    names += (i > 0 ? "," : "") + columns[i];
    values += (i > 0 ? ",c" : "c") + std::to_string(i);
  }
  // OR FAIL: what was inserted before an error is taken back with the whole transaction, so that SQLite need not keep
  // pages for taking back this statement alone.
  out->statement_ = std::make_unique<Statement>(
      TRY(database.prepare("INSERT OR FAIL INTO " + table + " (" + names + ") SELECT " + values + " FROM " + source)));
  return out;
}

BulkInsert& BulkInsert::integer(int64_t value) {
  cells_.push_back({value, nullptr, Cell::Type::kInteger});
  return *this;
}

BulkInsert& BulkInsert::text(std::string_view value) {
  cells_.push_back({static_cast<int64_t>(value.size()), value.empty() ? "" : value.data(), Cell::Type::kText});
  return *this;
}

BulkInsert& BulkInsert::blob(std::string_view value) {
  cells_.push_back({static_cast<int64_t>(value.size()), value.empty() ? "" : value.data(), Cell::Type::kBlob});
  return *this;
}

Status BulkInsert::run() {
  if (cells_.empty()) return {};
  auto done = statement_->run();
  cells_.clear();
  return done;
}

}  // namespace yett::store
