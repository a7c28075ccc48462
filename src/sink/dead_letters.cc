#include "sink/dead_letters.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/json.h"

namespace yett::sink {

DeadLetters::DeadLetters(std::string file) : file_(std::move(file)) {}

Status DeadLetters::add(const Record& record, const std::string& why) {
  std::string line;
  json::ObjectWriter(line).field("seq", record.seq).field("why", why).raw("record", record.line).end();
  line += '\n';
  const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat before {};
  const bool ok = fd >= 0 && ::fstat(fd, &before) == 0 &&
                  ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fdatasync(fd) == 0;
  const int error = errno;
  // Removes a partial line, which would otherwise precede the next one.
  if (!ok && fd >= 0 && ::ftruncate(fd, before.st_size) != 0) inode_ = 0;
  if (fd >= 0) ::close(fd);
  return ok ? Status() : Error{file_ + ": cannot be written: " + std::strerror(error)};
}

int64_t DeadLetters::first() {
  struct stat info {};
  if (::stat(file_.c_str(), &info) != 0 || info.st_size == 0) return inode_ = 0, first_ = INT64_MAX;
  if (info.st_ino == inode_) return first_;
  std::ifstream in(file_);
  std::string line;
  std::getline(in, line);
  const auto parsed = json::parse(line, false);
  const auto* seq = parsed ? parsed.value().find("seq") : nullptr;
  inode_ = info.st_ino;
  return first_ = seq != nullptr ? seq->integer : 0;  // unreadable: retention keeps everything
}

std::string deadLetterFile(const std::string& database, const std::string& sink) {
  return database + ".sink-" + sink + ".refused";
}

}  // namespace yett::sink
