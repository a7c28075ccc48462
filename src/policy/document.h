// A JSON document (RFC 8259, to the letter) as policy reads it: every value with its kind and length, so that no reader
// behind Yett can take it for something else. One type for bodies of requests and for `data`.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/result.h"

namespace yett::policy {

struct Member;

/// One value. Plain data; views into its document.
struct Node {
  enum class Kind : uint8_t {
    kNull,
    kBool,
    kInteger,   ///< a whole number, however it was written: 7, 7.0 and 70e-1 are one
    kReal,      ///< any other number; finite
    kTooLarge,  ///< a number beyond +-(2^53-1): readers differ on it (RFC 7493 2.2), so it must not be read
    kString,
    kList,
    kObject,
  };
  Kind kind = Kind::kNull;
  bool flag = false;  ///< of kBool its value; of kList: one of its items is null
  uint32_t size = 0;  ///< bytes, items or members
  union {
    int64_t integer = 0;
    double real;
    const char* text;  ///< UTF-8
    const Node* items;
    const Member* members;  ///< in an order of the document's own: find() knows it
  };

  std::string_view string() const { return {text, size}; }
  bool container() const { return kind == Kind::kList || kind == Kind::kObject; }
  /// "a list", "null", ...: for messages.
  const char* kindName() const;
};

struct Member {
  const char* name;
  uint32_t name_size;
  uint32_t fold;  ///< foldHash() of the name
  Node value;

  std::string_view text() const { return {name, name_size}; }
};

/// How a name stands in an object.
struct Found {
  enum class How : uint8_t {
    kHere,
    kAbsent,
    kOtherSpelling,  ///< only in another spelling, which some services take for it
    kTwoSpellings,   ///< in this one and another
  };
  How how = How::kAbsent;
  const Node* value = nullptr;  ///< of kHere
};

/// Looks `name` up. `fold`: spellings that differ in case count (Unicode case folding). REQUIRES: kObject.
Found find(const Node& object, std::string_view name, bool fold);

/// Two names of the object differ only in their spelling. REQUIRES: kObject.
bool hasTwoSpellings(const Node& object);

/// The value at a JSON pointer (RFC 6901), or null. Names count as they are written.
const Node* atPointer(const Node& root, std::string_view pointer);

class Document {
 public:
  struct Limits {
    int depth = 32;  ///< of lists and objects in each other
    size_t values = 20'000;
  };
  Document() = default;
  Document(const Document&) = delete;

  /// Reads the text, replacing what was read before, and keeps its memory. Errors ("line 3: ...") never quote the text:
  /// what RFC 8259 does not allow, a name that is there twice, a lone surrogate, more than the limits. REQUIRES: `text`
  /// outlives what is read.
  Status parse(std::string_view text, const Limits& limits);
  void clear();
  const Node& root() const { return root_; }

 private:
  friend class DocumentParser;
  base::Arena arena_;
  std::vector<Node> nodes_;      // of containers that are not complete yet
  std::vector<Member> members_;  // likewise
  Node root_;
};

}  // namespace yett::policy
