#include "http/h2_memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/recycler.h"

namespace yett::http {
namespace {

// Before each block: its size, which nghttp2 does not give back.
constexpr size_t kHead = alignof(std::max_align_t);
static_assert(kHead >= sizeof(size_t));

size_t& sizeOf(void* block) {
  return *reinterpret_cast<size_t*>(static_cast<char*>(block) - kHead);
}

void* take(size_t size, void*) {
  if (size > SIZE_MAX - kHead) return nullptr;
  auto* head = static_cast<char*>(base::Recycler::take(kHead + size));
  if (head == nullptr) return nullptr;
  sizeOf(head + kHead) = size;
  return head + kHead;
}

void give(void* block, void*) {
  if (block != nullptr) base::Recycler::give(static_cast<char*>(block) - kHead, kHead + sizeOf(block));
}

void* takeZeroed(size_t count, size_t size, void*) {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  void* block = take(count * size, nullptr);
  if (block != nullptr) std::memset(block, 0, count * size);
  return block;
}

void* resize(void* block, size_t size, void*) {
  if (block == nullptr) return take(size, nullptr);
  void* out = take(size, nullptr);
  if (out == nullptr) return nullptr;
  std::memcpy(out, block, std::min(size, sizeOf(block)));
  give(block, nullptr);
  return out;
}

}  // namespace

nghttp2_mem* h2Memory() {
  static nghttp2_mem memory{nullptr, take, give, takeZeroed, resize};
  return &memory;
}

}  // namespace yett::http
