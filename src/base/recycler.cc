#include "base/recycler.h"

#include <cstdlib>
#include <new>
#include <utility>

namespace yett::base {

// The address sanitizer must see each object as a block of its own.
#if defined(__SANITIZE_ADDRESS__)
static constexpr bool kRecycles = false;
#else
static constexpr bool kRecycles = true;
#endif

Recycler& Recycler::ofThread() noexcept {
  thread_local Recycler recycler;
  return recycler;
}

Recycler::~Recycler() {
  over_ = true;
  for (Free* block : free_) {
    while (block != nullptr) std::free(std::exchange(block, block->next));
  }
}

void* Recycler::take(size_t size) noexcept {
  const size_t kind = (size + kStep - 1) / kStep;
  if (!kRecycles || kind == 0 || kind > kLargest / kStep) return std::malloc(size);
  Recycler& here = ofThread();
  Free*& first = here.free_[kind - 1];
  if (first == nullptr) return std::malloc(kind * kStep);
  here.kept_ -= kind * kStep;
  return std::exchange(first, first->next);
}

void Recycler::give(void* block, size_t size) noexcept {
  if (block == nullptr) return;
  const size_t kind = (size + kStep - 1) / kStep;
  if (!kRecycles || kind == 0 || kind > kLargest / kStep) return std::free(block);
  Recycler& here = ofThread();
  if (here.over_ || here.kept_ + kind * kStep > kMostKept) return std::free(block);
  here.kept_ += kind * kStep;
  here.free_[kind - 1] = new (block) Free{here.free_[kind - 1]};
}

void* Recycled::operator new(size_t size) {  // NOLINT(misc-new-delete-overloads): as declared
  void* block = Recycler::take(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace yett::base
