// Bytes that are all freed at once. Views into the arena stay valid no matter how much is added.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace yett::base {

class Arena {
 public:
  /// `block`: bytes that are taken at once.
  explicit Arena(size_t block = 256 << 10) : block_(block) {}
  /// A copy that lives until clear().
  std::string_view copy(std::string_view bytes) {
    const bool large = bytes.size() > block_ / 4;
    if (large) large_bytes_ += bytes.size();
    char* to = large ? own(large_, bytes.size()) : take(bytes.size());
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    return {to, bytes.size()};
  }

  /// Copies of `size` values that live until clear(); their destructors never run.
  template <typename T>
  const T* copy(const T* values, size_t size) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= alignof(std::max_align_t));
    used_ = (used_ + alignof(T) - 1) / alignof(T) * alignof(T);
    const auto bytes = copy(std::string_view(reinterpret_cast<const char*>(values), size * sizeof(T)));
    return reinterpret_cast<const T*>(bytes.data());
  }

  /// The memory that it holds.
  size_t bytes() const { return blocks_.size() * block_ + large_bytes_; }

  /// Frees everything except one block, which is reused.
  void clear() {
    large_.clear();
    large_bytes_ = 0;
    if (blocks_.size() > 1) blocks_.resize(1);
    used_ = 0;
  }

 private:
  using Blocks = std::vector<std::unique_ptr<char[]>>;

  static char* own(Blocks& blocks, size_t size) {
    return blocks.emplace_back(std::make_unique_for_overwrite<char[]>(size)).get();
  }

  char* take(size_t size) {
    if (blocks_.empty() || used_ > block_ || size > block_ - used_) {
      own(blocks_, block_);
      used_ = 0;
    }
    used_ += size;
    return blocks_.back().get() + used_ - size;
  }

  Blocks blocks_;  // the last one is being filled
  Blocks large_;
  size_t used_ = 0;
  size_t large_bytes_ = 0;
  const size_t block_;
};

}  // namespace yett::base
