// Memory of small objects that come and go by the hundred, such as streams: freed blocks are kept for the next object
// of about the same size. The allocator keeps only a few of each size at hand, and merges and splits the rest.
#pragma once

#include <array>
#include <cstddef>

namespace yett::base {

/// Blocks for the calling thread. A block may be given back on another thread, which then keeps it.
class Recycler {
 public:
  /// Uninitialized memory, aligned for any type; null if there is none.
  static void* take(size_t size) noexcept;
  /// `size` as it was for take(); `block` may be null.
  static void give(void* block, size_t size) noexcept;

  Recycler(const Recycler&) = delete;
  Recycler& operator=(const Recycler&) = delete;
  ~Recycler();

 private:
  static constexpr size_t kStep = 64;
  static constexpr size_t kLargest = 2048;       // larger blocks are not kept
  static constexpr size_t kMostKept = 16 << 20;  // bytes, for each thread
  struct Free {
    Free* next;
  };
  Recycler() = default;
  static Recycler& ofThread() noexcept;

  std::array<Free*, kLargest / kStep> free_{};
  size_t kept_ = 0;
  bool over_ = false;  // the thread ends: nothing is kept
};

/// Base class of such objects.
struct Recycled {
  static void* operator new(size_t size);  // NOLINT(misc-new-delete-overloads): only the sized form knows the size
  static void operator delete(void* block, size_t size) noexcept { Recycler::give(block, size); }
};

}  // namespace yett::base
