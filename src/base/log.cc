#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.h"
#include "base/json.h"

namespace yett::base {
namespace {

// A sink must not hold up the end of the process either: it waits this long for a reader, then drops.
constexpr int kStallMillis = 2000;

bool writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      if (::poll(&ready, 1, kStallMillis) <= 0) return false;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

LineSink::LineSink(int fd, bool owned) : fd_(fd), owned_(owned), thread_([this] { run(); }) {}

LineSink::~LineSink() {
  queue_.close();
  thread_.join();
  if (owned_) ::close(fd_);
}

void LineSink::run() {
  std::string batch;
  uint64_t reported = 0;
  for (;;) {
    const bool last = queue_.closed();
    const size_t lines = queue_.take(batch, std::chrono::milliseconds(500), std::chrono::milliseconds(2));
    if (lines > 0) writeAll(fd_, batch);
    const uint64_t dropped = queue_.refused();
    if (dropped != reported && !last) {
      writeAll(fd_, "{\"dropped_log_lines\":" + std::to_string(dropped - reported) + "}\n");
      reported = dropped;
    }
    if (last && lines == 0) return;
  }
}

bool Logger::parseLevel(std::string_view text, Level& out) {
  if (text == "debug") out = Level::kDebug;
  else if (text == "info") out = Level::kInfo;
  else if (text == "warning") out = Level::kWarning;
  else if (text == "error") out = Level::kError;
  else return false;
  return true;
}

void Logger::log(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < level_) return;
  static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
  std::string line = formatTime(wallMicros());
  line += ' ';
  line += kNames[static_cast<int>(level)];
  line += ' ';
  for (const char c : message) line += c == '\n' ? ' ' : c;
  for (const auto& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    const bool plain =
        !field.value.empty() &&
        field.value.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@%+,*") ==
            std::string::npos;
    if (plain) line += field.value;
    else json::appendQuoted(line, field.value);
  }
  line += '\n';
  sink_.write(line);
}

}  // namespace yett::base
