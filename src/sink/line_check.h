// Verifies the lines that a sink with `proof` has written, without the database that they came from.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/key_check.h"
#include "audit/verifier.h"
#include "base/result.h"
#include "base/sha256.h"

namespace yett::sink {

/// Takes the lines one by one, in order. One thread.
class LineCheck {
 public:
  explicit LineCheck(const audit::Expected& expected) : expected_(&expected) {}
  /// "" or what is wrong with the line. A record that was sent twice counts once.
  std::string take(std::string_view line);
  /// The result for all lines. Do not call take() after it.
  audit::Verification finish();

 private:
  struct Parts;
  std::string checkOrder(const Parts& parts);
  std::string checkPersonal(Parts& parts);
  std::string note(const Parts& parts);

  const audit::Expected* expected_;
  audit::Verification out_;
  std::vector<audit::Signed> checkpoints_;
  std::string log_id_;                     // "" if no line has named it yet
  std::string head_;                       // of the last record, 32 bytes
  std::map<int64_t, std::string> recent_;  // hashes of the last records, which may be sent again
  int64_t erased_by_events_ = 0;
  base::Sha256Hasher hasher_;
};

/// Verifies all lines of these files, in this order. An error: a file cannot be read.
Result<audit::Verification> verifyLines(const std::vector<std::string>& files, const audit::Expected& expected,
                                        const std::function<void(int64_t)>& progress);

}  // namespace yett::sink
