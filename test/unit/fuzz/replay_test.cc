#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "fuzz/targets.h"

using namespace yett;

namespace {

using Corpus = std::vector<std::string>;

Corpus filesOf(const std::string& directory, const std::string& ending) {
  Corpus out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || !entry.path().string().ends_with(ending)) continue;
    out.push_back(base::readFile(entry.path().string()).value());
  }
  std::sort(out.begin(), out.end());
  return out;
}

void add(Corpus& to, Corpus from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

// What the project has of each kind, and what test/fuzz/corpus/<target> holds: inputs that once broke something.
std::map<std::string, Corpus> corpora() {
  const std::string root = YETT_SOURCE_DIR;
  std::map<std::string, Corpus> out;
  for (const char* dir : {"/rules", "/examples"}) {
    add(out["policy_lua"], filesOf(root + dir, ".lua"));
    add(out["test_lua"], filesOf(root + dir, "_test.lua"));
    add(out["rules_json"], filesOf(root + dir, ".json"));
    add(out["data_json"], filesOf(root + dir, ".json"));
  }
  for (const char* file : {"language", "problems", "sandbox"}) {
    const auto cases =
        json::parse(base::readFile(root + "/test/cases/policy/" + file + ".json").value(), false).value();
    for (const auto& c : cases.items) {
      for (const auto& [name, text] : c.find("files")->fields)
        out[name.ends_with(".lua") ? "policy_lua" : "data_json"].push_back(text.text);
    }
  }
  out["raw_http"] = {"GET /orders/42?a=1 HTTP/1.1\r\nHost: orders\r\nX-A: 1\r\n\r\n",
                     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n",
                     "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n"};
  out["check_request"] = {
      R"({"method": "GET", "path": "/a?b=c", "host": "h", "headers": {"x": ["1", "2"], "y": "z"}, "body": "x",
    "principal": "spiffe://example.org/a", "source": "::1", "time": 5})"};
  for (auto& [name, corpus] : out) {
    const std::string more = root + "/test/fuzz/corpus/" + name;
    if (std::filesystem::exists(more)) add(corpus, filesOf(more, ""));
  }
  return out;
}

std::string mutated(const Corpus& corpus, std::mt19937_64& random) {
  static const Corpus kPieces = {"{",
                                 "}",
                                 "\"",
                                 "'",
                                 "[",
                                 "]",
                                 "(",
                                 ")",
                                 "\\",
                                 "\0",
                                 "\xff",
                                 "nil",
                                 "true",
                                 "re ",
                                 "data 'd.json'",
                                 "\r\n",
                                 "when",
                                 "principal",
                                 "**",
                                 "*",
                                 "{x}",
                                 "%2e",
                                 "..",
                                 "999999999999999999999",
                                 "-1",
                                 "0x",
                                 "function(r)",
                                 "end",
                                 " = ",
                                 ",",
                                 "allow 'x' ",
                                 "not_path",
                                 "anyone",
                                 "return",
                                 "while true do end",
                                 "\n\n"};
  std::string out = corpus[random() % corpus.size()];
  for (size_t n = 1 + random() % 4; n > 0; --n) {
    const size_t at = out.empty() ? 0 : random() % out.size();
    switch (random() % 7) {
      case 0:
        if (!out.empty()) out[at] = static_cast<char>(random());
        break;
      case 1: out.insert(at, kPieces[random() % kPieces.size()]); break;
      case 2: out.erase(at, random() % 20); break;
      case 3: out.erase(at); break;
      case 4: {
        const std::string& other = corpus[random() % corpus.size()];
        if (!other.empty()) out.insert(at, other.substr(random() % other.size(), random() % 60));
        break;
      }
      case 5: out.insert(at, out.substr(random() % (out.size() + 1), random() % 40)); break;
      default: out.insert(at, std::string(1 + random() % 300, "(){}[]-a.\"'*"[random() % 12]));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("fuzz: the corpora and mutations of them crash nothing, hang nothing and are refused with a place") {
  const char* wanted = std::getenv("YETT_TEST_FUZZ");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 400;
  std::mt19937_64 random(42);
  auto all = corpora();
  for (const auto& target : fuzz::targets()) {
    const Corpus& corpus = all[target.name];
    REQUIRE_FALSE(corpus.empty());
    int64_t slowest = 0;
    for (int i = 0; i < static_cast<int>(corpus.size()) + rounds; ++i) {
      const std::string bytes =
          i < static_cast<int>(corpus.size()) ? corpus[static_cast<size_t>(i)] : mutated(corpus, random);
      const auto began = std::chrono::steady_clock::now();
      const std::string wrong = target.run(bytes);
      slowest = std::max<int64_t>(
          slowest,
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count());
      if (wrong.empty()) continue;
      INFO(target.name << ": " << wrong << "\n" << base::printable(bytes));
      REQUIRE(wrong.empty());
    }
    INFO(target.name);
    CHECK(slowest < 5000);
  }
}
