#include "net/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <array>
#include <cstdlib>

namespace yett::net {
namespace {

// Free blocks of one size, kept for reuse. No destructor: OpenSSL still frees memory after a thread's objects are
// destroyed.
template <size_t kSize, size_t kMax>
struct Shelf {
  std::array<void*, kMax> blocks;
  size_t count = 0;
  bool ended = false;  // the thread has ended
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

// OpenSSL's buffers are a little over 16 KiB; the exact size depends on its options. All get the same size, so that any
// block fits.
constexpr size_t kBufferAtLeast = 16 << 10;
constexpr size_t kBuffer = 18 << 10;
// The buffer of handshake messages. If each handshake took it from the heap, the small objects that a connection keeps
// would settle around it, and the heap would hold twice what is used.
constexpr size_t kMessagesAtLeast = 20 << 10;
constexpr size_t kMessages = 22 << 10;
// A small block that OpenSSL allocates per written record. malloc() rounds 25 to 40 bytes up to this size anyway.
constexpr size_t kNoteAtLeast = 25;
constexpr size_t kNote = 40;

thread_local Shelf<kBuffer, 16> buffers;
thread_local Shelf<kMessages, 16> messages;
thread_local Shelf<kNote, 16> notes;

struct Sweep {
  bool wanted = false;
  ~Sweep() {
    buffers.end();
    messages.end();
    notes.end();
  }
};
thread_local Sweep sweep;  // constructed on first use in its thread

void* take(size_t size, const char*, int) {
  if (size >= kNoteAtLeast && size <= kNote) return notes.take();
  if (size >= kBufferAtLeast && size <= kBuffer) return buffers.take();
  if (size >= kMessagesAtLeast && size <= kMessages) return messages.take();
  return size == 0 ? nullptr : std::malloc(size);
}

void give(void* block, const char*, int) {
  if (block == nullptr) return;
  // Whatever it was allocated for, a block of this size fits the next request.
  const size_t size = malloc_usable_size(block);
  if (!buffers.ended) sweep.wanted = true;
  if (size == kNote && notes.give(block)) return;
  if (size >= kBuffer && size < kBuffer + 64 && buffers.give(block)) return;
  if (size >= kMessages && size < kMessages + 64 && messages.give(block)) return;
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
