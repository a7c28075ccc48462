// A run of bytes as it stands in a block: one byte that says how it is packed, then its size as a varint, then
//   0  the bytes themselves
//   2  a varint and so many bytes of a zstd frame (RFC 8878)
//   3  one byte, which is repeated
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::block {

/// Whatever a block says of itself: it has no more rows than this, and no more bytes of text in all rows and columns
/// together, each as often as it stands there. What is written is at most half of both.
inline constexpr uint64_t kMaxRows = 1 << 14;
inline constexpr uint64_t kMaxTexts = 8 << 20;

/// Packs streams. Keeps the compressor's memory from one to the next. One thread.
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

/// Appends `bytes` as they are: of what is written often and read seldom.
void putPlain(std::string_view bytes, std::string& out);

/// Takes a stream of at most `most` bytes off the front of `from`. The bytes are a view into `from` where they stand
/// there, else into `kept`, which it replaces.
Result<std::string_view> takeStream(std::string_view& from, uint64_t most, std::string& kept);

}  // namespace yett::block
