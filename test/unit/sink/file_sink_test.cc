#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "sink/sink.h"
#include "support/temp_dir.h"

using namespace yett;
namespace fs = std::filesystem;

static bool sync_fails = false;

// Replaces the library function in this program: a disk that accepts writes but fails to sync them.
extern "C" int fdatasync(int fd) {
  if (!sync_fails) return static_cast<int>(::syscall(SYS_fdatasync, fd));
  errno = EIO;
  return -1;
}

namespace {

std::vector<sink::Record> records(int64_t from, int64_t to) {
  std::vector<sink::Record> out;
  for (int64_t n = from; n <= to; ++n)
    out.push_back(
        {n, 0, "decision", "allow", "{\"seq\":" + std::to_string(n) + ",\"pad\":\"" + std::string(100, 'x') + "\"}"});
  return out;
}

struct Files {
  Files() {
    config.path = dir.path("lines");
    config.rotate_size = 1000;
    config.keep = 3;
  }
  std::unique_ptr<sink::Sink> open() const { return std::move(sink::makeFileSink(config)).value(); }
  /// Sends them as the exporter does; returns how many were accepted before a failure.
  size_t send(sink::Sink& sink, const std::vector<sink::Record>& records) const {
    std::span<const sink::Record> rest = records;
    while (!rest.empty()) {
      const size_t some = sink.takes(rest);
      if (!sink.send(rest.first(some)).ok()) break;
      rest = rest.subspan(some);
    }
    return records.size() - rest.size();
  }
  std::string text(const std::string& suffix = "") const { return base::readFile(config.path + suffix).value(); }
  test::TempDir dir;
  sink::SinkConfig config;
};

}  // namespace

TEST_CASE("a file is rotated after the record that fills it, even in the middle of a batch") {
  Files f;
  CHECK(f.send(*f.open(), records(1, 40)) == 40);
  for (const char* suffix : {".1", ".2", ".3"}) {
    CHECK(f.text(suffix).size() > 1000);
    CHECK(f.text(suffix).size() < 1000 + 130);
  }
  CHECK_FALSE(fs::exists(f.config.path + ".4"));
  CHECK(f.text().find("{\"seq\":40,") != std::string::npos);
}

TEST_CASE("records that are in the files are not sent again, even if the saved position is older") {
  Files f;
  CHECK(f.send(*f.open(), records(1, 5)) == 5);
  CHECK(f.open()->resumeAt(2) == 5);
  CHECK(f.open()->resumeAt(9) == 9);
  CHECK(f.open()->resumeAt(0) == 0);  // the lines may belong to another log
  SECTION("the last line was cut off") {
    std::ofstream(f.config.path, std::ios::app) << "{\"seq\":6,\"pa";
    CHECK(f.open()->resumeAt(2) == 5);
    CHECK(f.text().ends_with("\"}\n"));
  }
  SECTION("the sink has just written this log") {
    const auto sink = f.open();
    CHECK(f.send(*sink, records(6, 7)) == 2);
    CHECK(sink->resumeAt(0) == 7);
  }
  SECTION("the file was renamed away") {
    fs::rename(f.config.path, f.config.path + ".1");
    CHECK(f.open()->resumeAt(2) == 2);
  }
}

TEST_CASE("records that could not be synced are sent again, although they can be read") {
  Files f;
  const auto sink = f.open();
  CHECK(f.send(*sink, records(1, 3)) == 3);
  sync_fails = true;
  CHECK_FALSE(sink->send(records(4, 6)).ok());
  sync_fails = false;
  CHECK(f.text().find("\"seq\":6,") != std::string::npos);
  CHECK(sink->resumeAt(3) == 3);
  CHECK(f.send(*sink, records(4, 6)) == 3);
  CHECK(sink->resumeAt(3) == 6);
}

TEST_CASE("a torn line that could not be removed stays a line of its own") {
  Files f;
  std::ofstream(f.config.path) << "{\"seq\":6,\"pa";
  CHECK(f.send(*f.open(), records(7, 7)) == 1);
  CHECK(f.text().starts_with("{\"seq\":6,\"pa\n{\"seq\":7,"));
}

TEST_CASE("a full file that cannot be renamed is a failure, loses no other file, and recovers") {
  Files f;
  const auto sink = f.open();
  CHECK(f.send(*sink, records(1, 27)) == 27);  // .1 and .2
  const std::string second = f.text(".2");
  fs::create_directories(f.config.path + ".3/in the way");
  for (const char* n : {".1", ".2"}) fs::rename(f.config.path + n, f.config.path + n + ".mine");
  fs::create_directories(f.config.path + ".1/in the way");
  fs::rename(f.config.path + ".2.mine", f.config.path + ".2");
  for (int i = 0; i < 5; ++i) {
    const auto status = sink->send(records(28, 28));
    REQUIRE_FALSE(status.ok());
    CHECK(status.why.find("lines is full and cannot be renamed: ") != std::string::npos);
  }
  CHECK(f.text(".2") == second);
  CHECK(f.text().find("\"seq\":28") == std::string::npos);
  fs::remove_all(f.config.path + ".1");
  CHECK(f.send(*sink, records(28, 30)) == 3);
  CHECK(f.text().starts_with("{\"seq\":28,"));
}

TEST_CASE("rotate_size 0 never rotates; keep 0 keeps no old files") {
  Files f;
  SECTION("size") {
    f.config.rotate_size = 0;
    CHECK(f.send(*f.open(), records(1, 100)) == 100);
    CHECK_FALSE(fs::exists(f.config.path + ".1"));
  }
  SECTION("keep") {
    f.config.keep = 0;
    std::ofstream(f.config.path + ".0") << "another's";
    CHECK(f.send(*f.open(), records(1, 20)) == 20);
    CHECK(f.text().starts_with("{\"seq\":19,"));
    CHECK(f.text(".0") == "another's");
    CHECK_FALSE(fs::exists(f.config.path + ".1"));
  }
}

TEST_CASE("a partly written batch of a new log does not claim the lines of another log") {
  Files f;
  f.config.rotate_size = 0;
  f.dir.write("lines", "{\"seq\":912998,\"pad\":\"another log's\"}\n");
  auto sink = f.open();
  CHECK(sink->resumeAt(0) == 0);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit little = before;
  little.rlim_cur = fs::file_size(f.config.path) + 50;
  ::setrlimit(RLIMIT_FSIZE, &little);
  CHECK(f.send(*sink, records(1, 3)) == 0);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(sink->resumeAt(0) == 0);
}
