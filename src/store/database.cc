#include "store/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "base/text.h"
#include "store/sqlite.h"

namespace yett::store {

static constexpr int kBusyMillis = 5000;

void Database::Close::operator()(sqlite3* db) const {
  if (!borrowed) sqlite3_close_v2(db);
}
void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}
Database::Unlock::~Unlock() {
  if (fd >= 0) ::close(fd);
}
Database::~Database() = default;

Error Database::failure(const std::string& what) const {
  return Error{path_ + ": " + what + ": " + (db_ ? sqlite3_errmsg(db_.get()) : "out of memory")};
}

Database Database::borrow(sqlite3* db) {
  Database out;
  out.path_ = "main";
  out.db_ = std::unique_ptr<sqlite3, Close>(db, Close(true));
  return out;
}

#ifndef YETT_SQLITE_EXTENSION
static std::string immutableUri(const std::string& path) {
  std::string out = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') out += "%" + base::hex({&c, 1});
    else out += c;
  }
  return out + "?immutable=1";
}

Result<Database> Database::open(const std::string& path, Mode mode) {
  Database out;
  out.path_ = path;
  const bool writes = mode == Mode::kWrite || mode == Mode::kWriteExisting;
  if (mode == Mode::kWriteExisting && ::access(path.c_str(), F_OK) != 0)
    return Error{path + ": cannot open: " + std::strerror(errno)};
  if (writes) {
    // A separate lock file: close() on a second descriptor of the database would drop SQLite's locks on it.
    const int fd = ::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return Error{path + ".lock: cannot open: " + std::strerror(errno)};
    out.lock_ = Unlock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return Error{path + ": another process writes to this audit database"};
    // An existing file is not opened: closing it would drop the locks of this process's other connections.
    const int created = mode == Mode::kWrite ? ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (created < 0 && mode == Mode::kWrite && errno != EEXIST)
      return Error{path + ": cannot open: " + std::strerror(errno)};
    if (created >= 0) ::close(created);
    (void)::chmod(path.c_str(), 0600);  // in the sandbox only new files are ours to change: see app/confinement
  }
  // Once, before any other call to SQLite: its memory statistics take a lock on every allocation.
  static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)configured;
  sqlite3* db = nullptr;
  const int flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  // A copy may include a write-ahead log. Its index is kept in memory, which needs an exclusive connection.
  const bool copy = mode == Mode::kCopy;
  const bool wal = copy && ::access((path + "-wal").c_str(), F_OK) == 0;
  const int status = copy && !wal ? sqlite3_open_v2(immutableUri(path).c_str(), &db, flags | SQLITE_OPEN_URI, nullptr)
                                  : sqlite3_open_v2(path.c_str(), &db, flags, wal ? "unix-none" : nullptr);
  out.db_.reset(db);
  if (status != SQLITE_OK) return out.failure("cannot open");
  sqlite3_busy_timeout(db, kBusyMillis);
  if (writes) {
    TRY(
        out.execute("PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
                    "wal_autocheckpoint=0; PRAGMA secure_delete=ON;"));
    const auto note = [](void* at, sqlite3*, const char*, int pages) {
      *static_cast<int64_t*>(at) = pages;
      return SQLITE_OK;
    };
    sqlite3_wal_hook(db, note, out.wal_pages_.get());
  } else {
    if (wal) TRY(out.execute("PRAGMA locking_mode=EXCLUSIVE;"));
    TRY(out.execute("PRAGMA query_only=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"));
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  }
  return out;
}

namespace {

int readOnly(void*, int action, const char* first, const char* second, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION:
      return second != nullptr &&
                     (std::strcmp(second, "load_extension") == 0 || std::strcmp(second, "fts3_tokenizer") == 0)
                 ? SQLITE_DENY
                 : SQLITE_OK;
    default: (void)first; return SQLITE_DENY;
  }
}

int overdue(void* until) {
  return std::chrono::steady_clock::now() >= *static_cast<std::chrono::steady_clock::time_point*>(until) ? 1 : 0;
}

}  // namespace

void Database::onlyRead(std::chrono::milliseconds time) {
  constexpr int kSteps = 1000;  // of SQLite's virtual machine between two checks of the clock
  constexpr int kMaxBytes = 16 << 20;
  *until_ = std::chrono::steady_clock::now() + time;
  sqlite3_limit(db_.get(), SQLITE_LIMIT_LENGTH, kMaxBytes);
  sqlite3_limit(db_.get(), SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_set_authorizer(db_.get(), readOnly, nullptr);
  sqlite3_progress_handler(db_.get(), kSteps, overdue, until_.get());
}
#endif

Status Database::execute(const std::string& sql) {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return failure("cannot execute");
  return {};
}

Result<Statement> Database::prepare(std::string_view sql, std::string_view* rest) {
  Statement out;
  sqlite3_stmt* statement = nullptr;
  const char* end = nullptr;
  if (sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                         &end) != SQLITE_OK) {
    return failure("cannot prepare a statement");
  }
  if (rest != nullptr) *rest = sql.substr(static_cast<size_t>(end - sql.data()));
  out.statement_.reset(statement);
  return out;
}

Status Database::migrate(std::initializer_list<std::string_view> migrations) {
  Statement version = TRY(prepare("PRAGMA user_version"));
  TRY(version.step());
  const int64_t have = version.integer(0);
  version.reset();
  if (have > static_cast<int64_t>(migrations.size())) return Error{path_ + ": was written by a newer version of yett"};
  int64_t number = 0;
  if (have > 0 && std::data(migrations)[have - 1].empty())
    return Error{path_ + ": was written by an unreleased version of yett: start a new one"};
  for (const auto migration : migrations) {
    if (++number <= have) continue;
    if (migration.empty()) continue;  // a step that was never released
    TRY(execute("BEGIN IMMEDIATE;" + std::string(migration) + "PRAGMA user_version=" + std::to_string(number) +
                "; COMMIT;"));
  }
  return {};
}

void Database::checkpointPassive() {
  sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

Status Database::truncateWal(bool wait) {
  if (!wait) sqlite3_busy_timeout(db_.get(), 0);
  const int status = sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (!wait) sqlite3_busy_timeout(db_.get(), kBusyMillis);
  if (status != SQLITE_OK) return failure("cannot empty the write-ahead log");
  return {};
}

static Result<std::map<std::string, std::string>> schemaOf(Database& db) {
  std::map<std::string, std::string> out;
  Statement rows = TRY(db.prepare("SELECT type || ' `' || name || '`', coalesce(sql, '') FROM sqlite_master"));
  while (TRY(rows.step())) out.emplace(rows.text(0), rows.text(1));
  return out;
}

Result<std::string> Database::schemaDiffers(std::string_view sql, int64_t version) {
  Database model;
  model.path_ = ":memory:";
  sqlite3* db = nullptr;
  const int status = sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  model.db_.reset(db);
  if (status != SQLITE_OK) return model.failure("cannot open");
  TRY(model.execute(std::string(sql)));
  const auto wanted = TRY(schemaOf(model));
  const auto found = TRY(schemaOf(*this));
  for (const auto& [name, text] : found) {
    const auto same = wanted.find(name);
    if (same == wanted.end()) return name + " is not part of yett's schema";
    if (same->second != text) return name + " differs from yett's schema";
  }
  for (const auto& [name, text] : wanted) {
    if (!found.contains(name)) return name + " is missing";
  }
  Statement stated = TRY(prepare("PRAGMA user_version"));
  if (!TRY(stated.step()) || stated.integer(0) != version)
    return std::string("the version is not ") + std::to_string(version);
  return std::string();
}

Result<int64_t> Database::usedBytes() {
  int64_t values[3] = {};
  const char* const names[] = {"PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size"};
  for (int i = 0; i < 3; ++i) {
    Statement row = TRY(prepare(names[i]));
    if (TRY(row.step())) values[i] = row.integer(0);
  }
  return (values[0] - values[1]) * values[2];
}

Statement& Statement::bind(int index, int64_t value) {
  empty_ &= ~bitOf(index);
  sqlite3_bind_int64(statement_.get(), index, value);
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  if (text.empty() && (empty_ & bitOf(index)) != 0) return *this;  // unchanged: bindings survive a reset
  empty_ = text.empty() ? empty_ | bitOf(index) : empty_ & ~bitOf(index);
  sqlite3_bind_text(statement_.get(), index, text.empty() ? "" : text.data(), static_cast<int>(text.size()),
                    SQLITE_STATIC);
  return *this;
}

Statement& Statement::bindBlob(int index, std::string_view bytes) {
  empty_ &= ~bitOf(index);
  sqlite3_bind_blob(statement_.get(), index, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
  return *this;
}

Result<bool> Statement::step() {
  const int status = sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  return Error{std::string("the audit database: ") + sqlite3_errmsg(sqlite3_db_handle(statement_.get()))};
}

Status Statement::run() {
  auto done = step();
  reset();
  if (!done) return std::move(done).error();
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}
Statement::Type Statement::type(int column) const {
  switch (sqlite3_column_type(statement_.get(), column)) {
    case SQLITE_INTEGER: return Type::kInteger;
    case SQLITE_TEXT: return Type::kText;
    case SQLITE_BLOB: return Type::kBlob;
    default: return Type::kOther;
  }
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  return {data, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int Statement::columns() const {
  return sqlite3_column_count(statement_.get());
}

std::string_view Statement::name(int column) const {
  const char* name = sqlite3_column_name(statement_.get(), column);
  return name == nullptr ? "" : name;
}

bool Statement::isNull(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

}  // namespace yett::store
