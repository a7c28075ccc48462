// Records as JSON lines in a file, which is rotated by size.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sink/sink.h"

namespace yett::sink {
namespace {

class FileSink final : public Sink {
 public:
  explicit FileSink(const SinkConfig& config) : config_(config) {}
  ~FileSink() override { close(); }

  Status send(std::span<const Record> records) override {
    TRY(open());
    struct stat info {};
    if (::fstat(fd_, &info) == 0 && static_cast<uint64_t>(info.st_size) > config_.rotate_size) {
      rotate();
      TRY(open());
    }
    std::string lines;
    for (const auto& record : records) lines += record.line + "\n";
    for (size_t at = 0; at < lines.size();) {
      const ssize_t wrote = ::write(fd_, lines.data() + at, lines.size() - at);
      if (wrote <= 0) return failure("cannot be written");
      at += static_cast<size_t>(wrote);
    }
    if (::fdatasync(fd_) != 0) return failure("cannot be written");
    return {};
  }

  // The file says itself what it has: the number in its last whole line. What follows that was cut off in the middle.
  int64_t resumeAt(int64_t position) override {
    if (!open()) return position;
    struct stat info {};
    if (::fstat(fd_, &info) != 0 || info.st_size == 0) return position;
    const off_t from = info.st_size > kTail ? info.st_size - kTail : 0;
    std::string tail(static_cast<size_t>(info.st_size - from), '\0');
    const int fd = ::open(config_.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return position;
    const ssize_t got = ::pread(fd, tail.data(), tail.size(), from);
    ::close(fd);
    if (got != static_cast<ssize_t>(tail.size())) return position;
    const auto end = tail.rfind('\n');
    if (end + 1 != tail.size() &&
        ::ftruncate(fd_, from + static_cast<off_t>(end == std::string::npos ? 0 : end + 1)) != 0)
      return position;
    if (end == std::string::npos || position == 0) return position;  // 0: the lines may be another log's
    const auto begin = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
    const std::string line = tail.substr(begin == std::string::npos ? 0 : begin + 1);
    constexpr std::string_view kSeq = "{\"seq\":";
    return line.starts_with(kSeq) ? std::max(position, static_cast<int64_t>(std::atoll(line.c_str() + kSeq.size())))
                                  : position;
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
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void rotate() {
    close();
    const auto name = [&](int64_t n) { return config_.path + "." + std::to_string(n); };
    std::remove(name(config_.keep).c_str());
    for (int64_t n = config_.keep - 1; n >= 1; --n) std::rename(name(n).c_str(), name(n + 1).c_str());
    if (config_.keep > 0) std::rename(config_.path.c_str(), name(1).c_str());
    else std::remove(config_.path.c_str());
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
