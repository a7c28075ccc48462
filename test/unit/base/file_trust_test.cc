#include "base/file_trust.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "base/unix_socket.h"
#include "support/temp_dir.h"

using namespace yett;
namespace fs = std::filesystem;

namespace {

std::string why(const Result<std::string>& read) {
  return read ? "" : read.error().message;
}

void mode(const std::string& path, unsigned bits) {
  // A group other than the owner's private group.
  if (::geteuid() == 0) REQUIRE(::chown(path.c_str(), 0, 4242) == 0);
  REQUIRE(::chmod(path.c_str(), bits) == 0);
}

}  // namespace

TEST_CASE("file trust: modes of files, keys and the folders above them") {
  const test::TempDir dir;
  dir.write("a/b/file", "text");
  const std::string file = dir.path("a/b/file");
  base::FileTrust trust;
  struct Case {
    unsigned folder, file;
    bool readable, secret;
    const char* says;
  };
  for (const Case& c :
       {Case{0755, 0644, true, false, "0400, 0440, 0600 or 0640"}, Case{0700, 0600, true, true, ""},
        Case{0755, 0400, true, true, ""}, Case{0755, 0440, true, true, ""}, Case{0755, 0640, true, true, ""},
        Case{0755, 0660, false, false, "chmod go-w"}, Case{0755, 0606, false, false, "chmod go-w"},
        Case{0755, 0604, true, false, "`defaultMode: 0440`"}, Case{0755, 0700, true, false, "0400, 0440, 0600 or 0640"},
        Case{0775, 0600, false, false, "chmod g-w"},
        Case{0777, 0600, false, false, "others may write into this folder"}, Case{01777, 0600, true, true, ""}}) {
    INFO(std::oct << c.folder << " " << c.file);
    mode(dir.path("a/b"), c.folder);
    mode(file, c.file);
    CHECK(trust.read(file).ok() == c.readable);
    CHECK(trust.readSecret(file).ok() == c.secret);
    const std::string said = why(trust.read(file)) + why(trust.readSecret(file));
    CHECK(said.find(c.says) != std::string::npos);
  }
}

TEST_CASE("file trust: a sticky folder is fine as a parent, but not if its listing matters") {
  const test::TempDir dir;
  dir.write("a/b/file", "text");
  base::FileTrust trust;
  mode(dir.path("a"), 01777);
  CHECK(trust.checkFolder(dir.path("a/b")).ok());
  CHECK_FALSE(trust.checkFolder(dir.path("a")).ok());
  mode(dir.path("a"), 0755);
  CHECK(trust.checkFolder(dir.path("a")).ok());
  CHECK_FALSE(trust.checkFolder(dir.path("a/b/file")).ok());
  CHECK_FALSE(trust.read(dir.path("a")).ok());
}

TEST_CASE("file trust: links are followed, and each folder on the way is checked") {
  const test::TempDir dir;
  dir.write("real/deep/file", "text");
  fs::create_directories(dir.path("way"));
  fs::create_directory_symlink("../real/deep", dir.path("way/data"));
  fs::create_symlink("data/file", dir.path("way/file"));
  fs::create_symlink(dir.path("way/file"), dir.path("absolute"));
  fs::create_symlink("loop", dir.path("loop"));
  base::FileTrust trust;
  for (const char* name : {"way/file", "absolute", "way/../way/./data/file"})
    CHECK(trust.read(dir.path(name)).value() == "text");
  CHECK(why(trust.read(dir.path("loop"))).find("too many links") != std::string::npos);
  CHECK(why(trust.read(dir.path("none"))).find("cannot open") != std::string::npos);
  mode(dir.path("real"), 0777);
  for (const char* name : {"way/file", "absolute"}) CHECK_FALSE(trust.read(dir.path(name)).ok());
  mode(dir.path("real"), 0755);
  mode(dir.path("way"), 0777);
  CHECK_FALSE(trust.read(dir.path("absolute")).ok());
}

TEST_CASE("file trust: owners") {
  if (::geteuid() != 0) return;  // only root can change the owner of files
  const test::TempDir dir;
  dir.write("a/file", "text");
  base::FileTrust trust;
  REQUIRE(::chown(dir.path("a/file").c_str(), 4242, 4242) == 0);
  CHECK(why(trust.read(dir.path("a/file"))).find("user 4242 owns this file") != std::string::npos);
  trust.setOwners({4242});
  CHECK(trust.read(dir.path("a/file")).ok());
  REQUIRE(::chown(dir.path("a").c_str(), 4243, 4242) == 0);
  CHECK(why(trust.read(dir.path("a/file"))).find("user 4243 owns this folder") != std::string::npos);
  trust.setOwners({4242, 4243});
  CHECK(trust.read(dir.path("a/file")).ok());
}

TEST_CASE("file trust: a private group (named like the owner, without other members) counts as the owner") {
  if (::geteuid() != 0) return;
  const test::TempDir dir;
  dir.write("a/file", "text");
  mode(dir.path("a/file"), 0664);
  base::FileTrust trust;
  CHECK_FALSE(trust.read(dir.path("a/file")).ok());
  REQUIRE(::chown(dir.path("a/file").c_str(), 0, 0) == 0);
  CHECK(trust.read(dir.path("a/file")).ok());
  CHECK_FALSE(trust.readSecret(dir.path("a/file")).ok());
}

TEST_CASE("file trust: read-only commands warn once of each problem") {
  const test::TempDir dir;
  dir.write("a/file", "text");
  mode(dir.path("a"), 0777);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  CHECK(trust.read(dir.path("a/file")).ok());
  CHECK(trust.read(dir.path("a/file")).ok());
  REQUIRE(trust.warnings().size() == 1);
  CHECK(trust.warnings()[0].find("others may write into this folder") != std::string::npos);
}

TEST_CASE("unix socket: other files and sockets in use are left alone, stale sockets are replaced") {
  const test::TempDir dir;
  dir.write("file", "precious");
  CHECK(base::makeRoomForSocket(dir.path("file")).error().message.find("is not a socket") != std::string::npos);
  CHECK(fs::exists(dir.path("file")));
  CHECK(base::makeRoomForSocket(dir.path("none")).ok());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, dir.path("s").c_str());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  {
    const base::ModeLimit limit(0600);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  struct stat info {};
  REQUIRE(::stat(dir.path("s").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(::listen(fd, 1) == 0);
  CHECK(base::makeRoomForSocket(dir.path("s")).error().message.find("another process") != std::string::npos);
  ::close(fd);
  CHECK(base::makeRoomForSocket(dir.path("s")).ok());
  CHECK_FALSE(fs::exists(dir.path("s")));
}
