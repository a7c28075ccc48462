// Invariants of Yett's own code. A violation is a bug, never something that a peer or a file can bring about.
#pragma once

namespace yett::base {

/// Prints the condition and its location to standard error, and aborts.
[[noreturn]] void checkFailed(const char* condition, const char* file, int line);

}  // namespace yett::base

/// In development builds (YETT_CHECKS) a false condition aborts the program; in release builds the condition is not
/// evaluated and costs nothing.
#ifdef YETT_CHECKS
#define YETT_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::yett::base::checkFailed(#condition, __FILE__, __LINE__))
#else
#define YETT_CHECK(condition) static_cast<void>(sizeof(!(condition)))
#endif
