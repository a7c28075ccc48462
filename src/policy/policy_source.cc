#include "policy/policy_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/sha256.h"
#include "base/text.h"

namespace yett::policy {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxFiles = 10'000;
constexpr uint64_t kMaxBytes = uint64_t{256} << 20;  // of all files

// The flattened listing of a folder: name -> the state that shows whether the file has changed.
class Lister {
 public:
  explicit Lister(base::FileTrust& trust) : trust_(trust) {}

  Status folder(const std::string& directory, const std::string& prefix, const struct stat& self) {
    for (const auto& [device, inode] : above_) {
      if (device == self.st_dev && inode == self.st_ino)
        return Error{directory + ": is a link to a folder above it: reading it would never end"};
    }
    TRY(trust_.checkFolder(directory));
    above_.emplace_back(self.st_dev, self.st_ino);
    std::error_code error;
    fs::directory_iterator it(directory, error);
    if (error) return Error{directory + ": cannot read the policy directory: " + error.message()};
    for (const fs::directory_iterator end; it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (!name.starts_with('.')) TRY(entry(it->path().string(), prefix + name));
      if (error) break;
    }
    if (error) return Error{directory + ": cannot read all of it: " + error.message()};
    above_.pop_back();
    return {};
  }
  std::map<std::string, std::string>& files() { return files_; }
  std::set<std::string>& others() { return others_; }

 private:
  Status entry(const std::string& path, const std::string& name) {
    struct stat info {};
    if (++entries_ > 2 * kMaxFiles)
      return Error{path + ": one of more than " + std::to_string(2 * kMaxFiles) +
                   " entries below the policy directory"};
    const bool loadable = PolicySource::isLoadable(name);
    if (::stat(path.c_str(), &info) != 0) {
      if (!loadable) return {};
      // A file that looks like a rule but cannot be read must not be skipped silently.
      return Error{path + ": cannot be read: " + std::strerror(errno)};
    }
    if (S_ISDIR(info.st_mode) && !loadable) return folder(path, name + "/", info);
    if (!loadable) {
      if (PolicySource::looksLikeRules(name)) others_.insert(name);
      return {};
    }
    if (!S_ISREG(info.st_mode)) return Error{path + ": is not a regular file"};
    bytes_ += static_cast<uint64_t>(info.st_size);
    if (bytes_ > kMaxBytes)
      return Error{path + ": with this the policy files are larger than " + std::to_string(kMaxBytes >> 20) + "MiB"};
    files_[name] = std::to_string(info.st_ino) + ":" + std::to_string(info.st_size) + ":" +
                   std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec);
    if (files_.size() > kMaxFiles) return Error{path + ": one of more than " + std::to_string(kMaxFiles) + " files"};
    return {};
  }

  base::FileTrust& trust_;
  std::vector<std::pair<dev_t, ino_t>> above_;
  std::map<std::string, std::string> files_;
  std::set<std::string> others_;
  uint64_t bytes_ = 0;
  size_t entries_ = 0;
};

Result<std::map<std::string, std::string>> list(const std::string& directory, base::FileTrust& trust,
                                                std::set<std::string>* others) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0)
    return Error{directory + ": cannot read the policy directory: " + std::strerror(errno)};
  Lister lister(trust);
  TRY(lister.folder(directory, "", info));
  if (others != nullptr) *others = std::move(lister.others());
  return std::move(lister.files());
}

}  // namespace

std::string PolicySource::digestOf(const std::map<std::string, std::string>& files) {
  base::Sha256Hasher hasher;
  for (const auto& [name, bytes] : files)
    hasher.update(name).update({"\0", 1}).update(std::to_string(bytes.size())).update({"\0", 1}).update(bytes);
  return base::hex(base::view(hasher.finish()));
}

bool PolicySource::isLoadable(const std::string& name) {
  return name.ends_with(".lua") || name.ends_with(".json");
}

bool PolicySource::isTest(const std::string& name) {
  return name.find('/') == std::string::npos && name.ends_with("_test.lua");
}

bool PolicySource::looksLikeRules(const std::string& name) {
  const std::string lower = base::lowered(name.substr(name.rfind('/') + 1));
  return lower.find(".lua") != std::string::npos || lower.find(".json") != std::string::npos;
}

bool PolicySource::isPolicyFile(const std::string& name) {
  return name.find('/') == std::string::npos && name.ends_with(".lua") && !isTest(name);
}

Result<PolicySource> PolicySource::read(const std::string& directory, base::FileTrust& trust) {
  PolicySource source;
  source.directory = directory;
  const auto before = TRY(list(directory, trust, &source.others));
  for (const auto& [name, state] : before)
    source.files.emplace(name, TRY(trust.read((fs::path(directory) / name).string())));
  if (TRY(list(directory, trust, nullptr)) != before) return Error{directory + ": changed while it was read"};
  source.digest = digestOf(source.files);
  return source;
}

PolicySource PolicySource::only(const std::function<bool(const std::string& name)>& wanted) const {
  PolicySource out;
  out.directory = directory;
  for (const auto& [name, bytes] : files) {
    if (wanted(name)) out.files.emplace(name, bytes);
  }
  out.digest = digestOf(out.files);
  return out;
}

std::vector<std::string> PolicySource::unused(std::string_view extension, const std::set<std::string>& used) const {
  const auto byTest = [&](const std::string& name) {
    return std::any_of(files.begin(), files.end(), [&](const auto& file) {
      return isTest(file.first) && file.second.find(name) != std::string::npos;
    });
  };
  std::set<std::string> names = others;
  for (const auto& [name, text] : files) names.insert(name);
  std::vector<std::string> out;
  for (const auto& name : names) {
    const std::string lower = base::lowered(name);
    const bool top = name.find('/') == std::string::npos;
    if ((top && name.ends_with(extension)) || isTest(name) || used.contains(name) || byTest(name)) continue;
    const bool spelt = lower.ends_with(extension) && !name.ends_with(extension);
    const char* hint = spelt                                                   ? "its extension is not in lower case"
                       : !lower.ends_with(".lua") && !lower.ends_with(".json") ? "its extension is not .lua or .json"
                       : lower.ends_with(extension) ? "policies must be at the top of the directory"
                       : extension == ".lua" ? "no policy uses it with `data`; the engine `rules` loads JSON policies"
                                             : "the engine `lua` loads policies in Lua";
    out.push_back(name + ": nothing loads this file: " + hint);
  }
  return out;
}

}  // namespace yett::policy
