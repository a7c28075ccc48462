#include "support/allocations.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static std::atomic<uint64_t> count{0};

static void* counted(void* block) {
  count.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* malloc(size_t size) {
  return counted(__libc_malloc(size));
}
void* calloc(size_t number, size_t size) {
  return counted(__libc_calloc(number, size));
}
void* realloc(void* block, size_t size) {
  return counted(__libc_realloc(block, size));
}
void* aligned_alloc(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}

uint64_t yett_allocations() {
  return count.load(std::memory_order_relaxed);
}

#ifdef YETT_PRELOADED
static void print(int) {
  char text[48];
  const int size = std::snprintf(text, sizeof text, "allocations %llu\n", static_cast<unsigned long long>(count));
  [[maybe_unused]] const ssize_t written = write(2, text, static_cast<size_t>(size));
}

__attribute__((constructor)) static void begin() {
  std::signal(SIGUSR2, print);
}
#endif
}
