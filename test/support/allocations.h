// Counts what asks for memory on the heap. Linked into a program it stands in for malloc(); as a library of its own,
// loaded before any other (LD_PRELOAD), it prints "allocations N" to standard error at SIGUSR2.
#pragma once

#include <cstdint>

extern "C" {
/// Calls of malloc, calloc, realloc and aligned_alloc by all threads since the start; operator new is among them.
uint64_t yett_allocations();
}
