#include "support/policy_cases.h"

#include <fstream>
#include <stdexcept>

namespace yett::test {
namespace {

class CaseReader {
 public:
  explicit CaseReader(std::string path) : path_(std::move(path)), file_(path_) {
    if (!file_) fail("cannot be read");
  }

  std::vector<PolicyCase> read() {
    std::string line;
    while (next(line)) {
      if (line.starts_with("## ")) {
        out_.emplace_back();
        out_.back().name = line.substr(3);
      } else if (line.starts_with("```")) {
        if (out_.empty()) fail("block before the first case");
        block(line.substr(3));
      }
    }
    return std::move(out_);
  }

 private:
  bool next(std::string& line) {
    ++number_;
    return static_cast<bool>(std::getline(file_, line));
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw std::runtime_error(path_ + ":" + std::to_string(number_) + ": " + why);
  }

  // "lua p.lua", "json-string p.lua", "requests", "problems", "error".
  void block(const std::string& info) {
    std::string text, line;
    PolicyCase& c = out_.back();
    while (next(line) && line != "```") {
      if (info == "requests") c.requests.push_back(request(line));
      else if (info == "problems") c.problems.push_back(line);
      else text += (text.empty() ? "" : "\n") + line;
    }
    if (line != "```") fail("block is not closed");
    if (info == "requests" || info == "problems") return;
    if (info == "error") return void(c.error = text);
    const auto blank = info.find(' ');
    if (blank == std::string::npos) fail("block `" + info + "` names no file");
    if (info.starts_with("json-string")) text = parsed(text).text;
    c.files[info.substr(blank + 1)] = text;
  }

  PolicyCase::Request request(const std::string& line) const {
    const auto brace = line.find('{');
    if (brace == std::string::npos) fail("expected a request as `EXPECTED {...}`");
    std::string expect = line.substr(0, brace);
    expect.erase(expect.find_last_not_of(' ') + 1);
    return {std::move(expect), parsed(line.substr(brace)), line};
  }

  json::Value parsed(const std::string& text) const {
    auto value = json::parse(text, false);
    if (!value) fail(value.error().message);
    return std::move(value).value();
  }

  const std::string path_;
  std::ifstream file_;
  size_t number_ = 0;
  std::vector<PolicyCase> out_;
};

}  // namespace

std::vector<PolicyCase> readPolicyCases(const std::string& name) {
  return CaseReader(YETT_SOURCE_DIR "/test/cases/policy/" + name + ".md").read();
}

}  // namespace yett::test
