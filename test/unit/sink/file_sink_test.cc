#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "sink/sink.h"
#include "support/temp_dir.h"

using namespace yett;
namespace fs = std::filesystem;

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
  std::string text(const std::string& suffix = "") const { return base::readFile(config.path + suffix).value(); }
  test::TempDir dir;
  sink::SinkConfig config;
};

}  // namespace

TEST_CASE("a file ends with the record that fills it, in the midst of what came at once") {
  Files f;
  REQUIRE(f.open()->send(records(1, 40)).ok());
  for (const char* suffix : {".1", ".2", ".3"}) {
    CHECK(f.text(suffix).size() > 1000);
    CHECK(f.text(suffix).size() < 1000 + 130);
  }
  CHECK_FALSE(fs::exists(f.config.path + ".4"));
  CHECK(f.text().find("{\"seq\":40,") != std::string::npos);
}

TEST_CASE("what the files have is not sent again, whatever the position says") {
  Files f;
  REQUIRE(f.open()->send(records(1, 5)).ok());
  CHECK(f.open()->resumeAt(2) == 5);
  CHECK(f.open()->resumeAt(9) == 9);
  CHECK(f.open()->resumeAt(0) == 0);  // the lines may be another log's
  SECTION("the last line was cut off") {
    std::ofstream(f.config.path, std::ios::app) << "{\"seq\":6,\"pa";
    CHECK(f.open()->resumeAt(2) == 5);
    CHECK(f.text().ends_with("\"}\n"));
  }
  SECTION("it ended just after a rotation") {
    fs::rename(f.config.path, f.config.path + ".1");
    CHECK(f.open()->resumeAt(2) == 5);
    std::ofstream(f.config.path) << "{\"se";
    CHECK(f.open()->resumeAt(2) == 5);
    CHECK(f.text().empty());
  }
}

TEST_CASE("a full file that cannot be renamed is a failure, and goes on once it can be") {
  Files f;
  f.config.keep = 1;
  REQUIRE(f.open()->send(records(1, 9)).ok());
  fs::create_directories(f.config.path + ".1/in the way");
  const auto sink = f.open();
  const auto status = sink->send(records(10, 12));
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message.find("lines is full and cannot be renamed: ") != std::string::npos);
  CHECK(f.text().find("\"seq\":10") == std::string::npos);
  fs::remove_all(f.config.path + ".1");
  REQUIRE(sink->send(records(10, 12)).ok());
  CHECK(f.text().starts_with("{\"seq\":10,"));
}
