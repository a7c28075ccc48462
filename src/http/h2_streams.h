// The streams of one HTTP/2 connection by id. Each frame is looked up here, several times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "http/h2_stream.h"

namespace yett::http {

/// An open hash table.
class H2Streams {
 public:
  /// Null: there is none.
  H2Stream* find(int32_t id) const {
    if (slots_.empty()) return nullptr;
    for (size_t at = home(id);; at = next(at)) {
      if (slots_[at].stream == nullptr) return nullptr;
      if (slots_[at].id == id) return slots_[at].stream.get();
    }
  }

  /// REQUIRES: no stream has the id.
  void add(int32_t id, std::unique_ptr<H2Stream> stream) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    put({id, std::move(stream)});
    ++size_;
  }

  /// Null: there is none.
  std::unique_ptr<H2Stream> take(int32_t id) {
    if (slots_.empty()) return nullptr;
    size_t at = home(id);
    while (slots_[at].stream != nullptr && slots_[at].id != id) at = next(at);
    std::unique_ptr<H2Stream> out = std::move(slots_[at].stream);
    if (out == nullptr) return out;
    --size_;
    // Those that came later and would no longer be found move up.
    for (size_t gap = at, i = next(at); slots_[i].stream != nullptr; i = next(i)) {
      const size_t wants = home(slots_[i].id);
      const bool reachable = gap <= i ? gap < wants && wants <= i : gap < wants || wants <= i;
      if (reachable) continue;
      slots_[gap] = std::move(slots_[i]);
      gap = i;
    }
    return out;
  }

  /// Any of them. REQUIRES: not empty.
  int32_t any() const {
    size_t at = 0;
    while (slots_[at].stream == nullptr) ++at;
    return slots_[at].id;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Calls visit(stream) for each; it must neither add nor take any.
  template <typename Visit>
  void each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.stream != nullptr) visit(*slot.stream);
    }
  }

 private:
  struct Slot {
    int32_t id = 0;
    std::unique_ptr<H2Stream> stream;
  };
  size_t home(int32_t id) const { return static_cast<uint32_t>(id) * 0x9e3779b1u >> shift_; }
  size_t next(size_t at) const { return (at + 1) & (slots_.size() - 1); }

  void put(Slot slot) {
    size_t at = home(slot.id);
    while (slots_[at].stream != nullptr) at = next(at);
    slots_[at] = std::move(slot);
  }

  void grow() {
    std::vector<Slot> before(size_t{1} << (32 - --shift_));
    before.swap(slots_);
    for (Slot& slot : before) {
      if (slot.stream != nullptr) put(std::move(slot));
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half of it used
  int shift_ = 30;           // of a hash, to a place
  size_t size_ = 0;
};

}  // namespace yett::http
