// Records as JSON lines in a file, which is rotated by size.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "sink/sink.h"

namespace yett::sink {
namespace {

class FileSink final : public Sink {
 public:
  explicit FileSink(const SinkConfig& config) : config_(config) {}
  ~FileSink() override { close(); }

  // Up to the record that fills the file: at the end of each file the position is saved.
  size_t takes(std::span<const Record> records) override {
    size_t taken = 0;
    uint64_t size = open() ? sizeNow() : 0;
    if (mustRotate(size)) size = 0;
    while (taken < records.size() && (taken == 0 || !mustRotate(size))) size += records[taken++].line.size() + 1;
    return taken;
  }

  Delivery send(std::span<const Record> records) override {
    auto done = write(records);
    return done ? Delivery{} : Delivery{Delivery::How::kLater, done.error().message};
  }
  Status probe() override { return open(); }

  Status write(std::span<const Record> records) {
    TRY(open());
    if (mustRotate(sizeNow())) {
      TRY(rotate());
      TRY(open());
    }
    std::string lines;
    for (const auto& record : records) lines += record.line + "\n";
    if (!endsWhole()) lines.insert(0, "\n");  // a partial line that could not be removed becomes a separate line
    return append(lines);
  }

  // The file itself says what it has: the number in its last complete line. A partial line after it is removed.
  int64_t resumeAt(int64_t position) override {
    if (!open()) return position;
    struct stat info {};
    if (::fstat(fd_, &info) != 0 || info.st_size == 0) return position;
    const off_t from = std::max<off_t>(0, info.st_size - kTail);
    std::string tail(static_cast<size_t>(info.st_size - from), '\0');
    if (::pread(fd_, tail.data(), tail.size(), from) != static_cast<ssize_t>(tail.size())) return position;
    const size_t whole = tail.rfind('\n') + 1;  // 0: no complete line
    if (whole != tail.size() && ::ftruncate(fd_, from + static_cast<off_t>(whole)) != 0) return position;
    if (std::exchange(unsynced_, false)) return position;  // they are readable now, but perhaps not safely on disk
    if (whole == 0 || (position == 0 && !wrote_)) return position;  // the lines may be another log's
    tail.resize(whole - 1);
    const std::string line = tail.substr(tail.rfind('\n') + 1);
    constexpr std::string_view kSeq = "{\"seq\":";
    return line.starts_with(kSeq) ? std::max(position, static_cast<int64_t>(std::atoll(line.c_str() + kSeq.size())))
                                  : position;
  }

 private:
  static constexpr off_t kTail = 4 << 20;  // longer than any line

  Status open() {
    struct stat info {};
    struct stat mine {};
    // Somebody may have moved the file away.
    if (fd_ >= 0 &&
        (::stat(config_.path.c_str(), &info) != 0 || ::fstat(fd_, &mine) != 0 || info.st_ino != mine.st_ino))
      close();
    if (fd_ < 0) fd_ = ::open(config_.path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd_ >= 0 ? Status() : failure("cannot be opened");
  }
  uint64_t sizeNow() const {
    struct stat info {};
    return ::fstat(fd_, &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
  }
  bool mustRotate(uint64_t size) const { return config_.rotate_size > 0 && size > config_.rotate_size; }
  bool endsWhole() const {
    const uint64_t size = sizeNow();
    char last = '\n';
    return size == 0 || ::pread(fd_, &last, 1, static_cast<off_t>(size) - 1) != 1 || last == '\n';
  }
  Status append(std::string_view lines) {
    while (!lines.empty()) {
      const ssize_t wrote = ::write(fd_, lines.data(), lines.size());
      if (wrote <= 0) return failure("cannot be written");
      lines.remove_prefix(static_cast<size_t>(wrote));
    }
    unsynced_ = ::fdatasync(fd_) != 0;
    wrote_ = wrote_ || !unsynced_;
    return unsynced_ ? failure("cannot be written") : Status();
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // Renames only files that are in the way, so that repeated attempts lose nothing.
  Status rotate() {
    const auto name = [&](int64_t n) { return config_.path + "." + std::to_string(n); };
    int64_t free = 1;
    while (free < config_.keep && ::access(name(free).c_str(), F_OK) == 0) ++free;
    for (int64_t n = free - 1; n >= 1; --n) std::rename(name(n).c_str(), name(n + 1).c_str());
    const std::string& path = config_.path;
    if ((config_.keep > 0 ? std::rename(path.c_str(), name(1).c_str()) : std::remove(path.c_str())) != 0)
      return failure("is full and cannot be renamed");
    close();
    return {};
  }
  Status failure(const char* what) {
    const Error error{config_.path + " " + what + ": " + std::strerror(errno)};
    close();
    return error;
  }
  const SinkConfig config_;
  int fd_ = -1;
  bool wrote_ = false;     // a complete batch, so the last complete line is from this log
  bool unsynced_ = false;  // the last write was not synced
};

}  // namespace

Result<std::unique_ptr<Sink>> makeFileSink(const SinkConfig& config) {
  return std::unique_ptr<Sink>(std::make_unique<FileSink>(config));
}

Result<std::unique_ptr<Sink>> makeSink(const SinkConfig& config) {
  if (config.type == "file") return makeFileSink(config);
  if (config.type == "otlp") return makeOtlpSink(config);
  if (config.type == "syslog") return makeSyslogSink(config);
  return makeKafkaSink(config);
}

}  // namespace yett::sink
