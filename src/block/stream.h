// How a run of bytes is stored in a block: one byte for the encoding, its size as a varint, then
//   0  the bytes themselves
//   2  the packed size as a varint, and a zstd frame (RFC 8878)
//   3  one byte, which is repeated
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::block {

/// Limits for reading untrusted blocks: rows, and bytes of text in all rows and columns together (repeated texts count
/// each time). The blocks that we write reach at most half of both.
inline constexpr uint64_t kMaxRows = 1 << 14;
inline constexpr uint64_t kMaxTexts = 8 << 20;

/// Packs streams. Reuses the compressor's memory. One thread.
class Packer {
 public:
  Packer();
  ~Packer();
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  /// Appends `bytes`, in the shortest of the three forms.
  void pack(std::string_view bytes, std::string& out);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  std::string scratch_;
};

/// Appends `bytes` unpacked: for data that is written often and rarely read.
void putPlain(std::string_view bytes, std::string& out);

/// Takes a stream of at most `most` bytes off the front of `from`. The result is a view into `from` if the stream is
/// plain, else into `kept`, which is overwritten.
Result<std::string_view> takeStream(std::string_view& from, uint64_t most, std::string& kept);

}  // namespace yett::block
