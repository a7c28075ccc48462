// The libFuzzer program of the target YETT_FUZZ_TARGET.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const auto& target : yett::fuzz::targets()) {
    if (std::string_view(target.name) != YETT_FUZZ_TARGET) continue;
    const std::string wrong = target.run({reinterpret_cast<const char*>(data), size});
    if (wrong.empty()) continue;
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
