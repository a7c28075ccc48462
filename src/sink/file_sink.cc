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

  Status send(std::span<const Record> records) override {
    while (!records.empty()) {
      TRY(open());
      struct stat info {};
      const uint64_t size = ::fstat(fd_, &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
      if (size > config_.rotate_size) {
        TRY(rotate());
        continue;
      }
      std::string lines;
      size_t taken = 0;
      while (taken < records.size() && size + lines.size() <= config_.rotate_size)
        lines += records[taken++].line + "\n";
      TRY(append(lines));
      records = records.subspan(taken);
    }
    return {};
  }

  // The files say themselves what they have: the number in the last whole line. What follows that was cut off in the
  // middle.
  int64_t resumeAt(int64_t position) override {
    if (!open()) return position;
    cutOff();
    if (position == 0) return position;  // the lines may be another log's
    int64_t last = lastNumber(config_.path);
    if (last < 0 && config_.keep > 0) last = lastNumber(config_.path + ".1");  // ended just after a rotation
    return std::max(position, last);
  }

 private:
  static constexpr off_t kTail = 4 << 20;  // longer than any line

  Status open() {
    struct stat info {};
    struct stat mine {};
    // Somebody else may have moved it away.
    if (fd_ >= 0 &&
        (::stat(config_.path.c_str(), &info) != 0 || ::fstat(fd_, &mine) != 0 || info.st_ino != mine.st_ino))
      close();
    if (fd_ < 0) fd_ = ::open(config_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd_ >= 0 ? Status() : failure("cannot be opened");
  }
  Status append(std::string_view lines) {
    while (!lines.empty()) {
      const ssize_t wrote = ::write(fd_, lines.data(), lines.size());
      if (wrote <= 0) return failure("cannot be written");
      lines.remove_prefix(static_cast<size_t>(wrote));
    }
    if (::fdatasync(fd_) != 0) return failure("cannot be written");
    return {};
  }
  // The end of a file, as much as any line takes, and where that begins. Empty: there is none.
  static std::pair<std::string, off_t> tailOf(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    std::string tail;
    off_t from = 0;
    if (fd >= 0 && ::fstat(fd, &info) == 0) {
      from = std::max<off_t>(0, info.st_size - kTail);
      tail.resize(static_cast<size_t>(info.st_size - from));
      if (::pread(fd, tail.data(), tail.size(), from) != static_cast<ssize_t>(tail.size())) tail.clear();
    }
    if (fd >= 0) ::close(fd);
    return {std::move(tail), from};
  }
  // A last line without its end goes.
  void cutOff() {
    const auto [tail, from] = tailOf(config_.path);
    const size_t whole = tail.rfind('\n') + 1;  // 0: no line is whole
    if (whole != tail.size() && ::ftruncate(fd_, from + static_cast<off_t>(whole)) != 0) close();
  }
  // The number in the last line; -1: there is none.
  static int64_t lastNumber(const std::string& path) {
    constexpr std::string_view kSeq = "{\"seq\":";
    auto tail = tailOf(path).first;
    if (!tail.ends_with('\n')) return -1;
    tail.pop_back();
    const std::string line = tail.substr(tail.rfind('\n') + 1);
    return line.starts_with(kSeq) ? std::atoll(line.c_str() + kSeq.size()) : -1;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  Status rotate() {
    const auto name = [&](int64_t n) { return config_.path + "." + std::to_string(n); };
    std::remove(name(config_.keep).c_str());
    for (int64_t n = config_.keep - 1; n >= 1; --n) std::rename(name(n).c_str(), name(n + 1).c_str());
    if ((config_.keep > 0 ? std::rename(config_.path.c_str(), name(1).c_str()) : std::remove(config_.path.c_str())) !=
        0)
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
