#include "engine/policy_source.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"

namespace yett::engine {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMostFiles = 10'000;

// name -> what tells that the file has not changed meanwhile
Result<std::map<std::string, std::string>> list(const std::string& directory) {
  std::map<std::string, std::string> out;
  std::error_code error;
  fs::recursive_directory_iterator it(directory, fs::directory_options::none, error);
  if (error) return Error{directory + ": cannot read the policy directory: " + error.message()};
  for (const fs::recursive_directory_iterator end; it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with('.')) {
      if (it->is_directory(error)) it.disable_recursion_pending();
      continue;
    }
    struct stat info {};
    const std::string name = fs::path(it->path()).lexically_relative(directory).generic_string();
    // What looks like a rule and cannot be read must not be a rule that is silently not there.
    if (::stat(it->path().c_str(), &info) != 0)
      return Error{it->path().string() + ": cannot be read: " + std::strerror(errno)};
    if (S_ISDIR(info.st_mode) && !name.ends_with(".lua") && !name.ends_with(".json")) continue;
    if (!S_ISREG(info.st_mode)) return Error{it->path().string() + ": is no file"};
    out[name] = std::to_string(info.st_ino) + ":" + std::to_string(info.st_size) + ":" +
                std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec);
    if (out.size() > kMostFiles) return Error{directory + ": more than " + std::to_string(kMostFiles) + " files"};
  }
  if (error) return Error{directory + ": cannot read all of it: " + error.message()};
  return out;
}

}  // namespace

std::string PolicySource::digestOf(const std::map<std::string, std::string>& files) {
  base::Sha256Hasher hasher;
  for (const auto& [name, bytes] : files)
    hasher.update(name).update({"\0", 1}).update(std::to_string(bytes.size())).update({"\0", 1}).update(bytes);
  return base::hex(base::view(hasher.finish()));
}

bool PolicySource::isPolicyFile(const std::string& name) {
  return name.find('/') == std::string::npos && name.ends_with(".lua") && !name.ends_with("_test.lua");
}

Result<PolicySource> PolicySource::read(const std::string& directory) {
  PolicySource source;
  source.directory = directory;
  const auto before = TRY(list(directory));
  for (const auto& [name, state] : before)
    source.files.emplace(name, TRY(base::readTrustedFile((fs::path(directory) / name).string())));
  if (TRY(list(directory)) != before) return Error{directory + ": changed while it was read"};
  source.digest = digestOf(source.files);
  return source;
}

}  // namespace yett::engine
