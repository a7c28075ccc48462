// The only access to SQLite. One connection belongs to one thread.
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
    kWrite,  ///< the only writer: creates a missing file (mode 0600), WAL, synchronous=FULL, locks out other processes
    kWriteExisting,  ///< the same for an existing file: fails, and creates nothing, if the file is missing
    kRead,           ///< any number; sees committed state. The file is untrusted, including its schema
    kCopy,           ///< the same for a file that nobody writes: creates no file next to it, needs no write access
  };
  static Result<Database> open(const std::string& path, Mode mode);
  /// Wraps a connection that somebody else opened and closes. REQUIRES: it outlives this object.
  static Database borrow(sqlite3* db);
  sqlite3* handle() const { return db_.get(); }
  /// From now on statements may only read, and fail once this time is over.
  void onlyRead(std::chrono::milliseconds time);
  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;
  ~Database();

  Status execute(const std::string& sql);
  /// Prepares the first statement and ignores the rest; `rest`, if given, gets that.
  Result<Statement> prepare(std::string_view sql, std::string_view* rest = nullptr);
  /// Brings the schema to version `migrations.size()`. Each migration is applied once, in a transaction; user_version
  /// counts them. An empty one was never released: files of that version are refused.
  Status migrate(std::initializer_list<std::string_view> migrations);
  /// Moves the contents of the write-ahead log into the database, without waiting for readers.
  void checkpointPassive();
  /// Moves all of it and empties the write-ahead log. Waits for readers for at most five seconds, or not at all.
  Status truncateWal(bool wait = true);
  /// How the schema differs from what these statements create, or from this version; "" if it does not.
  Result<std::string> schemaDiffers(std::string_view sql, int64_t version);
  /// Pages in the write-ahead log after the last commit of this connection.
  int64_t walPages() const { return *wal_pages_; }
  /// Bytes used in the database, without free pages.
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
  Unlock lock_;                                                    // released after the connection is closed,
  std::unique_ptr<std::chrono::steady_clock::time_point> until_ =  // and so is this
      std::make_unique<std::chrono::steady_clock::time_point>();
  std::unique_ptr<int64_t> wal_pages_ = std::make_unique<int64_t>(0);  // SQLite keeps its address
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
  /// How the value is stored: in SQL, text and a blob with the same bytes are not equal.
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
  uint64_t empty_ = 0;  // parameters that are bound to an empty text
};

}  // namespace yett::store
