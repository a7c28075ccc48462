#include "net/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <array>
#include <cstdlib>

namespace yett::net {
namespace {

// Blocks of one size that wait for their next use. Without a destructor: OpenSSL frees when a thread's objects are
// gone.
template <size_t kSize, size_t kMax>
struct Shelf {
  std::array<void*, kMax> blocks;
  size_t count = 0;
  bool ended = false;  // the thread is
  void end() {
    while (count > 0) std::free(blocks[--count]);
    ended = true;
  }
  void* take() { return count > 0 ? blocks[--count] : std::malloc(kSize); }
  bool give(void* block) {
    if (count == kMax || ended) return false;
    blocks[count++] = block;
    return true;
  }
};

// OpenSSL's buffers are a little over 16 KiB; how much depends on what it was asked for. All get the same size, so that
// any fits.
constexpr size_t kBufferAtLeast = 16 << 10;
constexpr size_t kBuffer = 18 << 10;
// What the writer of a record keeps in mind of it: of the size that malloc() makes of 25 to 40 bytes in any case.
constexpr size_t kNoteAtLeast = 25;
constexpr size_t kNote = 40;

thread_local Shelf<kBuffer, 16> buffers;
thread_local Shelf<kNote, 16> notes;

struct Sweep {
  bool wanted = false;
  ~Sweep() {
    buffers.end();
    notes.end();
  }
};
thread_local Sweep sweep;  // made by the first touch on its thread

void* take(size_t size, const char*, int) {
  if (size >= kNoteAtLeast && size <= kNote) return notes.take();
  if (size >= kBufferAtLeast && size <= kBuffer) return buffers.take();
  return size == 0 ? nullptr : std::malloc(size);
}

void give(void* block, const char*, int) {
  if (block == nullptr) return;
  // Whoever asked for it, what holds this much holds what is asked for next.
  const size_t size = malloc_usable_size(block);
  if (!buffers.ended) sweep.wanted = true;
  if (size == kNote && notes.give(block)) return;
  if (size >= kBuffer && size < kBuffer + 64 && buffers.give(block)) return;
  std::free(block);
}

void* resize(void* block, size_t size, const char* file, int line) {
  if (size != 0) return std::realloc(block, size);
  give(block, file, line);
  return nullptr;
}

}  // namespace

void keepRecordBuffers() {
  CRYPTO_set_mem_functions(take, resize, give);
}

}  // namespace yett::net
