// The results of `yett test` and their output formats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/rule_engine.h"

namespace yett::cli {

struct TestResult {
  std::string name;
  std::string file;
  int line = 0;
  bool passed = false;
  int64_t nanos = 0;
  std::string failure;                         ///< expected and actual result; "" if it passed
  std::string folder = {};                     ///< where `file` is
  std::vector<policy::RuleTrace> traces = {};  ///< every rule, of a test that failed or if asked for
  int nearest = -1;                            ///< the one of them that was most likely meant; -1: none
};

struct Coverage {
  size_t rules = 0;
  size_t rules_met = 0;
  size_t lines = 0;
  size_t lines_run = 0;
  std::vector<std::string> rules_missed;  ///< "file:line: policy/rule"
  std::vector<std::string> lines_missed;  ///< "file:line"
  /// The lower of the two shares, in percent; 100 if there is nothing to cover.
  int percent() const;
};

struct TestReport {
  std::string directory;
  std::vector<TestResult> tests;
  int64_t nanos = 0;
  bool with_coverage = false;
  Coverage coverage;
  size_t failed() const;
};

/// `explain`: with every rule of each test, else with the nearest one of a test that failed.
std::string asText(const TestReport& report, bool colour, bool explain);
/// schemas/test-report.schema.json.
std::string asJson(const TestReport& report);
/// JUnit XML, as CI systems read it.
std::string asJunit(const TestReport& report);

}  // namespace yett::cli
