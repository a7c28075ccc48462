// A vector that is aligned to cache lines and, once it is large, requests huge pages: without them, tables that are
// probed at random miss the TLB.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace yett::base {

template <typename T>
struct HugeAllocator {
  using value_type = T;
  static constexpr size_t kPage = 2 << 20;
  static constexpr std::align_val_t kLine{64};
  HugeAllocator() = default;
  template <typename U>
  HugeAllocator(const HugeAllocator<U>&) {}

  T* allocate(size_t n) {
    const size_t size = n * sizeof(T);
    if (size < 2 * kPage) return static_cast<T*>(::operator new(size, kLine));
    const size_t whole = (size + kPage - 1) / kPage * kPage;
    void* out = std::aligned_alloc(kPage, whole);
    if (out == nullptr) throw std::bad_alloc();
    ::madvise(out, whole, MADV_HUGEPAGE);  // if the kernel declines, it is ordinary memory
    return static_cast<T*>(out);
  }
  void deallocate(T* block, size_t n) {
    if (n * sizeof(T) < 2 * kPage) ::operator delete(block, kLine);
    else std::free(block);
  }
  bool operator==(const HugeAllocator&) const { return true; }
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace yett::base
