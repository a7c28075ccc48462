// Lines for people (stderr) and for programs (the access log). A LineSink owns a thread, so that a full pipe stalls no
// loop: what does not fit its queue is dropped and counted, and the count is told as soon as there is room.
#pragma once

#include <atomic>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>

#include "base/batch_queue.h"

namespace yett::base {

/// Writes lines to a file descriptor from its own thread. write() may be called from any thread.
class LineSink {
 public:
  /// Takes the descriptor; closes it at the end if `owned`.
  LineSink(int fd, bool owned);
  ~LineSink();
  LineSink(const LineSink&) = delete;

  /// `line` ends with '\n'. Dropped and counted where the queue is full.
  void write(std::string_view line) { queue_.push(line); }
  uint64_t dropped() const { return queue_.refused(); }

 private:
  void run();
  BatchQueue queue_{{4 << 20, 100'000}};
  const int fd_;
  const bool owned_;
  std::thread thread_;
};

/// A name and its value in a log line: `name=value`, quoted where it needs it.
struct Field {
  std::string_view name;
  std::string value;
};

/// Leveled messages to one sink. Any thread.
class Logger {
 public:
  enum class Level { kDebug, kInfo, kWarning, kError };
  Logger(LineSink& sink, Level level) : sink_(sink), level_(level) {}

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

 private:
  void log(Level level, std::string_view message, std::initializer_list<Field> fields);
  LineSink& sink_;
  const Level level_;
};

}  // namespace yett::base
