// Log lines for people (stderr) and for programs (the access log). A LineSink owns a thread, so a full pipe does not
// stall a loop. Lines that do not fit its queue are dropped and counted; the count is written once there is room.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/batch_queue.h"
#include "base/result.h"

namespace yett::base {

/// Writes lines to a file from its own thread. write() may be called from any thread.
class LineSink {
 public:
  /// Called on the sink's thread: once with what is wrong with the file, and with "" once it works again.
  using Told = std::function<void(const std::string& why)>;
  /// Does not close the descriptor.
  explicit LineSink(int fd, Told told = {});
  /// Appends to a file, created with mode 0640 if missing, or to a FIFO, whose reader may come later.
  static Result<std::unique_ptr<LineSink>> open(const std::string& path, Told told);
  ~LineSink();
  LineSink(const LineSink&) = delete;

  /// `line` ends with '\n'. It is dropped and counted if the queue is full.
  void write(std::string_view line) { queue_.push(line); }
  /// Reopens the path, so that a renamed or removed file is no longer written to. Any thread.
  void reopen();
  /// Lines that were not written, or only in part.
  uint64_t dropped() const { return queue_.refused() + lost_; }

 private:
  LineSink(int fd, std::string path, Told told);
  void run();
  void append(std::string& lines);
  void tell(const std::string& why);
  void openAgain();
  BatchQueue queue_{{4 << 20, 100'000}};
  int fd_;
  const std::string path_;  // "": the descriptor belongs to the caller
  const Told told_;
  std::atomic<bool> reopen_{false};
  std::atomic<uint64_t> lost_{0};
  bool failing_ = false;
  bool stale_ = false;  // reopening failed: lines still go to the previously opened file
  bool torn_ = false;   // the last line in the file is incomplete
  std::thread thread_;
};

/// A name and its value in a log line: `name=value`, quoted if needed.
struct Field {
  std::string_view name;
  std::string value;
};

/// Leveled messages to one sink. Any thread.
class Logger {
 public:
  enum class Level { kDebug, kInfo, kWarning, kError };
  Logger(LineSink& sink, Level level) : sink_(sink), level_(level) {}
  Level level() const { return level_.load(std::memory_order_relaxed); }
  void setLevel(Level level) { level_.store(level, std::memory_order_relaxed); }

  void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
    log(Level::kDebug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<Field> fields = {}) { log(Level::kInfo, message, fields); }
  void warning(std::string_view message, std::initializer_list<Field> fields = {}) {
    log(Level::kWarning, message, fields);
  }
  void error(std::string_view message, std::initializer_list<Field> fields = {}) {
    log(Level::kError, message, fields);
  }

  /// "debug", "info", "warning", "error"; false for any other.
  static bool parseLevel(std::string_view text, Level& out);
  static std::string_view nameOf(Level level);

 private:
  void log(Level level, std::string_view message, std::initializer_list<Field> fields);
  LineSink& sink_;
  std::atomic<Level> level_;
};

}  // namespace yett::base
