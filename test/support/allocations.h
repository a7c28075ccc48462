// Counts heap allocations. Linked into a program it replaces malloc(); as a library loaded with LD_PRELOAD, it prints
// "allocations N" to standard error on SIGUSR2.
#pragma once

#include <cstdint>

extern "C" {
/// Calls of malloc, calloc, realloc and aligned_alloc by all threads since the start, including operator new.
uint64_t yett_allocations();
}
