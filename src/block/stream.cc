#include "block/stream.h"

#include <zstd.h>

#include "block/varint.h"

namespace yett::block {
namespace {

constexpr char kPlain = 0;
constexpr char kZstd = 2;
constexpr char kRepeated = 3;
constexpr size_t kWorthIt = 32;  // a frame only makes shorter streams longer
constexpr int kLevel = 1;        // higher levels save nothing here

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Status decompress(std::string_view frame, uint64_t size, std::string& out) {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (context == nullptr) return Error{"out of memory"};
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != size) return Error{"a frame of the wrong size"};
  out.resize(size);
  const size_t got = ZSTD_decompressDCtx(context.get(), out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(got) || got != size) return Error{"a frame that cannot be unpacked"};
  return {};
}

}  // namespace

struct Packer::Context {
  ZSTD_CCtx* zstd = ZSTD_createCCtx();
  ~Context() { ZSTD_freeCCtx(zstd); }
};

Packer::Packer() : context_(std::make_unique<Context>()) {}
Packer::~Packer() = default;

void putPlain(std::string_view bytes, std::string& out) {
  out += kPlain;
  putVarint(bytes.size(), out);
  out += bytes;
}

void Packer::pack(std::string_view bytes, std::string& out) {
  if (!bytes.empty() && bytes.find_first_not_of(bytes.front()) == std::string_view::npos) {
    out += kRepeated;
    putVarint(bytes.size(), out);
    out += bytes.front();
    return;
  }
  if (bytes.size() >= kWorthIt && context_->zstd != nullptr) {
    scratch_.resize(ZSTD_compressBound(bytes.size()));
    const size_t size =
        ZSTD_compressCCtx(context_->zstd, scratch_.data(), scratch_.size(), bytes.data(), bytes.size(), kLevel);
    if (!ZSTD_isError(size) && size + 3 < bytes.size()) {
      out += kZstd;
      putVarint(bytes.size(), out);
      putVarint(size, out);
      out.append(scratch_, 0, size);
      return;
    }
  }
  putPlain(bytes, out);
}

Result<std::string_view> takeStream(std::string_view& from, uint64_t most, std::string& kept) {
  std::string_view codec;
  uint64_t size = 0;
  if (!takeBytes(from, 1, codec) || !takeVarint(from, size)) return Error{"a stream that is cut off"};
  if (size > most) return Error{"a stream that is too large"};
  std::string_view bytes;
  switch (codec[0]) {
    case kPlain:
      if (!takeBytes(from, size, bytes)) return Error{"a stream that is cut off"};
      return bytes;
    case kRepeated:
      if (!takeBytes(from, 1, bytes)) return Error{"a stream that is cut off"};
      kept.assign(size, bytes[0]);
      return std::string_view(kept);
    case kZstd: {
      uint64_t packed = 0;
      if (!takeVarint(from, packed) || !takeBytes(from, packed, bytes)) return Error{"a stream that is cut off"};
      TRY(decompress(bytes, size, kept));
      return std::string_view(kept);
    }
    default: return Error{"a stream of an unknown form"};
  }
}

}  // namespace yett::block
