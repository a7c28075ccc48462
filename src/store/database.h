// SQLite, the only door to it. One connection belongs to one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace yett::store {

class Statement;

class Database {
 public:
  enum class Mode {
    kWrite,  ///< the one writing connection: made if missing (mode 0600), WAL, synchronous=FULL, other processes locked
             ///< out
    kWriteExisting,  ///< the same, of a file that is there: fails, and makes nothing, where it is not
    kRead,           ///< any number; sees committed state. The file may be anybody's: nothing in its schema is trusted
    kCopy,  ///< the same, of a file that nobody writes: makes no file beside it, and needs no right to write there
  };
  static Result<Database> open(const std::string& path, Mode mode);
  /// A connection that somebody else opened and closes. REQUIRES: it stays open longer.
  static Database borrow(sqlite3* db);
  sqlite3* handle() const { return db_.get(); }
  /// From here on statements may read and nothing else, and end with an error when this time is over.
  void onlyRead(std::chrono::milliseconds time);
  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;
  ~Database();

  Status execute(const std::string& sql);
  /// The first statement; what stands after it is left. `rest`, where it is given, gets that.
  Result<Statement> prepare(std::string_view sql, std::string_view* rest = nullptr);
  /// Brings the schema to `migrations.size()`, each applied once, in a transaction; user_version counts them. An empty
  /// one was never released: what it made is refused.
  Status migrate(std::initializer_list<std::string_view> migrations);
  /// Moves what the write-ahead log holds into the database without waiting for readers.
  void checkpointPassive();
  /// The same with all of it, and empties the write-ahead log: waits for readers five seconds at the most, or not at
  /// all.
  Status truncateWal(bool wait = true);
  /// What in the schema is not as these statements make it, of this version: "" where nothing is.
  Result<std::string> schemaDiffers(std::string_view sql, int64_t version);
  /// Pages in the write-ahead log after the last commit of this connection.
  int64_t walPages() const { return *wal_pages_; }
  /// Bytes that the database holds: without pages that are free.
  Result<int64_t> usedBytes();

 private:
  struct Close {
    Close() : borrowed(false) {}
    explicit Close(bool b) : borrowed(b) {}
    bool borrowed;
    void operator()(sqlite3* db) const;
  };
  struct Unlock {
    int fd = -1;
    Unlock() = default;
    explicit Unlock(int f) : fd(f) {}
    Unlock(Unlock&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
    Unlock& operator=(Unlock&& other) noexcept {
      std::swap(fd, other.fd);
      return *this;
    }
    ~Unlock();
  };
  Database() = default;
  Error failure(const std::string& what) const;
  std::string path_;
  Unlock lock_;                                                    // released after the connection is closed
  std::unique_ptr<std::chrono::steady_clock::time_point> until_ =  // so is this one's
      std::make_unique<std::chrono::steady_clock::time_point>();
  std::unique_ptr<int64_t> wal_pages_ = std::make_unique<int64_t>(0);  // SQLite has its address
  std::unique_ptr<sqlite3, Close> db_;
};

/// A prepared statement: bind from 1, step, read columns from 0, reset. Text and blobs bound must live until the last
/// step.
class Statement {
 public:
  Statement& bind(int index, int64_t value);
  Statement& bind(int index, std::string_view text);
  Statement& bindBlob(int index, std::string_view bytes);
  /// True: there is a row. False: done.
  Result<bool> step();
  /// step() for statements without rows, then reset().
  Status run();
  void reset();
  int64_t integer(int column) const;
  enum class Type { kInteger, kText, kBlob, kOther };
  /// How the value is stored: text and bytes alike are not equal for SQL.
  Type type(int column) const;
  std::string_view text(int column) const;  ///< valid until the next step or reset
  int columns() const;
  std::string_view name(int column) const;
  bool isNull(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  static uint64_t bitOf(int index) { return index < 64 ? uint64_t{1} << index : 0; }
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  uint64_t empty_ = 0;  // places that are bound to an empty text
};

}  // namespace yett::store
