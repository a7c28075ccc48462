// The part of CBOR (RFC 8949) that records need, deterministically encoded (4.2.1): shortest integers, definite
// lengths, map keys in ascending order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace yett::audit {

/// Appends to a string. Map entries: keys ascending.
class CborWriter {
 public:
  explicit CborWriter(std::string& out) : out_(out) {}
  void map(uint64_t entries) { head(5, entries); }
  void integer(int64_t value);
  void text(std::string_view value);  ///< any bytes, unchanged: a text string if they are ASCII, else a byte string
  /// An entry of a map. REQUIRES: 0 <= key < 24.
  void entry(int key, int64_t value);
  void entry(int key, std::string_view value);

 private:
  void head(unsigned major, uint64_t value);
  void entryHead(int key, unsigned major, uint64_t value);
  void append(uint64_t word, size_t before, unsigned major, uint64_t value);
  std::string& out_;
};

/// Reads item by item. After any deviation from the deterministic form ok() stays false.
class CborReader {
 public:
  explicit CborReader(std::string_view bytes) : rest_(bytes) {}
  uint64_t map();
  int64_t integer();
  std::string_view text();
  /// The next item is a text or byte string.
  bool nextIsText() const;
  bool ok() const { return ok_; }
  bool atEnd() const { return rest_.empty(); }

 private:
  uint64_t head(unsigned& major);
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace yett::audit
