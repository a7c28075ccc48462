// The test vectors of nodejs/llhttp against our parser. What llhttp refuses or accepts only in a lenient mode must be
// refused here; what it accepts must be accepted, unless llhttp_differences.inc gives a reason for the difference.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/text.h"
#include "support/cases.h"
#include "support/h1_harness.h"

using namespace yett;

namespace {

const std::string kVectors = YETT_SOURCE_DIR "/../shared/vectors/llhttp";

struct Difference {
  const char* title;
  const char* why;
};

// Titles of cases that llhttp accepts and Yett refuses; with the prefix `taken: `, the other way round.
const Difference kDifferences[] = {
#include "llhttp_differences.inc"
};

const char* differsBecause(const std::string& title) {
  for (const auto& d : kDifferences) {
    if (title == d.title) return d.why;
  }
  return nullptr;
}

// Codes 21 to 23 are pauses of llhttp itself, not errors in the message.
bool llhttpAccepts(const test::MarkdownCase& c) {
  const auto at = c.expect.find("error code=");
  return at == std::string::npos || std::string_view(c.expect).substr(at + 11, 2) == "21" ||
         std::string_view(c.expect).substr(at + 11, 2) == "22";
}
bool lenient(const test::MarkdownCase& c) {
  return c.meta.find("-lenient-") != std::string::npos;
}

// llhttp does not require Host; the first message gets one, so that the rest of it is tested.
std::string withHost(std::string input) {
  const auto line = input.find("\r\n", input.starts_with("\r\n") ? 2 : 0);
  std::string lower = base::lowered(input);
  if (line != std::string::npos && lower.find("\r\nhost:") == std::string::npos) input.insert(line, "\r\nHost: h");
  return input;
}

struct Seen {
  bool refused;
  bool whole;  // every byte became part of a complete request, and none was discarded after a close
  std::string why;
};

Seen look(const std::string& input) {
  test::H1Harness harness;
  harness.feed(withHost(input));
  const bool no_host = harness.bad_why == "no host header" && !harness.seen.empty();
  const bool whole = harness.bad_status == 0 && !harness.seen.empty() && harness.seen.back().complete &&
                     harness.leftover() == 0 && !harness.finished;
  return {harness.bad_status != 0 && !no_host, whole, harness.bad_why};
}

}  // namespace

TEST_CASE("llhttp vectors: requests") {
  if (!std::filesystem::exists(kVectors)) {
    WARN("skipped: no vectors at ../shared/vectors/llhttp");
    return;
  }
  int total = 0;
  for (const auto& file : test::markdownFiles(kVectors + "/request")) {
    for (const auto& c : test::readMarkdownCases(file)) {
      if (c.meta.find("request-finish") != std::string::npos) continue;  // about llhttp's own finish() call
      ++total;
      const Seen seen = look(c.input);
      INFO(c.file << ": " << c.title << "\n" << c.meta << "\n" << c.input << "\nwhy: " << seen.why);
      if (lenient(c) || !llhttpAccepts(c)) {
        if (differsBecause("taken: " + c.title) == nullptr) CHECK_FALSE(seen.whole);
      } else if (differsBecause(c.title) != nullptr) {
        CHECK(seen.refused);
      } else {
        CHECK_FALSE(seen.refused);
      }
    }
  }
  CHECK(total > 100);
}
