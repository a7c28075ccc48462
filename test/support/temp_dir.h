// A temporary folder for a test, removed afterwards.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace yett::test {

class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/yett-test-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  TempDir(const TempDir&) = delete;
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name)) << text;
    std::filesystem::permissions(path(name), std::filesystem::perms(0600));
  }

 private:
  std::string directory_;
};

}  // namespace yett::test
