#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/json.h"

namespace yett::base {
namespace {

// A sink must not delay process exit either: it waits this long for a reader, then drops lines.
constexpr int kStallMillis = 2000;

// Returns how many bytes were written; if not all were, errno says why.
size_t writeAll(int fd, std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n > 0) {
      done += static_cast<size_t>(n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      if (::poll(&ready, 1, kStallMillis) > 0) continue;
      errno = EAGAIN;
      break;
    } else {
      break;
    }
  }
  return done;
}

// Non-blocking: otherwise open() would block on a FIFO that has no reader.
int openToAppend(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
}

std::string reason(int error) {
  if (error == ENXIO) return "no process is reading this FIFO";
  if (error == EAGAIN) return "the reader is not consuming data";
  return std::strerror(error);
}

}  // namespace

LineSink::LineSink(int fd, Told told) : LineSink(fd, "", std::move(told)) {}

LineSink::LineSink(int fd, std::string path, Told told)
    : fd_(fd), path_(std::move(path)), told_(std::move(told)), thread_([this] { run(); }) {}

Result<std::unique_ptr<LineSink>> LineSink::open(const std::string& path, Told told) {
  const int fd = openToAppend(path);
  if (fd < 0 && errno != ENXIO) return Error{path + ": " + reason(errno)};
  return std::unique_ptr<LineSink>(new LineSink(fd, path, std::move(told)));
}

LineSink::~LineSink() {
  queue_.close();
  thread_.join();
  if (!path_.empty() && fd_ >= 0) ::close(fd_);
}

void LineSink::reopen() {
  reopen_ = true;
  queue_.wake();
}

void LineSink::openAgain() {
  if (path_.empty()) return;
  const int fd = openToAppend(path_);
  const int error = errno;
  stale_ = fd < 0;
  if (stale_)
    return tell(fd_ < 0 ? "lines are being lost: " + reason(error)
                        : "cannot reopen it, still writing to the previously opened file: " + reason(error));
  struct stat before {};
  struct stat now {};
  const bool same = fd_ >= 0 && ::fstat(fd_, &before) == 0 && ::fstat(fd, &now) == 0 && before.st_ino == now.st_ino &&
                    before.st_dev == now.st_dev;
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  if (!same) torn_ = false;
}

void LineSink::tell(const std::string& why) {
  if (std::exchange(failing_, !why.empty()) != !why.empty() && told_) told_(why);
}

void LineSink::append(std::string& lines) {
  if (torn_) lines.insert(0, "\n");  // keep the incomplete line separate
  const size_t done = writeAll(fd_, lines);
  const int error = errno;
  if (done == lines.size()) {
    torn_ = false;
    if (!stale_) tell("");
    return;
  }
  if (done > 0) torn_ = lines[done - 1] != '\n';
  lost_ += static_cast<uint64_t>(std::count(lines.begin() + static_cast<std::ptrdiff_t>(done), lines.end(), '\n'));
  tell("lines are being lost: " + reason(error));
  if (error == EPIPE || error == EBADF) openAgain();  // there may be a new reader
}

void LineSink::run() {
  std::string batch;
  uint64_t reported = 0;
  for (;;) {
    const bool last = queue_.closed();
    const size_t lines = queue_.take(batch, std::chrono::milliseconds(500), std::chrono::milliseconds(2));
    // A FIFO may have a reader now, or a folder may be back.
    if ((stale_ || fd_ < 0) && lines > 0) openAgain();
    if (lines > 0) append(batch);
    if (reopen_.exchange(false)) openAgain();  // lines from before the request went to the old file
    const uint64_t dropped = this->dropped();
    if (dropped != reported && !last && !failing_) {
      std::string note = "{\"dropped_log_lines\":" + std::to_string(dropped - reported) + "}\n";
      append(note);
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

std::string_view Logger::nameOf(Level level) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
  return kNames[static_cast<int>(level)];
}

void Logger::log(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < this->level()) return;
  std::string line = formatTime(wallMicros());
  line += ' ';
  line += nameOf(level);
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
