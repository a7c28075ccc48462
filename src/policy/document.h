// A JSON document (strict RFC 8259) as policy reads it: every value with its kind and length, so that no service behind
// Yett can read it differently. One type for request bodies and for `data`.
#pragma once

#include <cstdint>
#include <string>
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
    kInteger,   ///< a whole number in any notation: 7, 7.0 and 70e-1 are equal
    kReal,      ///< any other number; finite
    kTooLarge,  ///< a number beyond +-(2^53-1): parsers differ on it (RFC 7493 2.2), so policy cannot read it
    kString,
    kList,
    kObject,
  };
  Kind kind = Kind::kNull;
  bool flag = false;  ///< of kBool: its value; of kList: whether an item is null
  uint32_t size = 0;  ///< bytes, items or members
  union {
    int64_t integer = 0;
    double real;
    const char* text;  ///< UTF-8
    const Node* items;
    const Member* members;  ///< in an internal order that find() knows
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

/// How a name occurs in an object.
struct Found {
  enum class How : uint8_t {
    kHere,
    kAbsent,
    kOtherSpelling,  ///< only in another spelling, which some services treat as equal
    kTwoSpellings,   ///< in this one and another
  };
  How how = How::kAbsent;
  const Node* value = nullptr;  ///< of kHere
};

/// Looks up `name`. `fold`: also considers spellings that differ by case (Unicode case folding). REQUIRES: kObject.
Found find(const Node& object, std::string_view name, bool fold);

/// Whether two names of the object differ only by case. REQUIRES: kObject.
bool hasTwoSpellings(const Node& object);

/// Appends the value as JSON: the same text for equal values. Members are in the order of their names.
void appendJson(std::string& out, const Node& value);

/// The value at a JSON pointer (RFC 6901), or null. Compares names exactly.
const Node* atPointer(const Node& root, std::string_view pointer);

class Document {
 public:
  struct Limits {
    int depth = 32;  ///< of nested lists and objects
    size_t values = 20'000;
  };
  Document() = default;
  /// `block`: bytes that its memory grows by.
  explicit Document(size_t block) : arena_(block) {}
  Document(const Document&) = delete;

  /// Parses the text, replaces the previous contents and reuses their memory. Errors ("line 3: ...") never quote the
  /// text: a violation of RFC 8259, a duplicate name, a lone surrogate, an exceeded limit. REQUIRES: `text` outlives
  /// the values.
  Status parse(std::string_view text, const Limits& limits);
  void clear();
  const Node& root() const { return root_; }
  /// The memory that its values take.
  size_t bytes() const {
    return arena_.bytes() + nodes_.capacity() * sizeof(Node) + members_.capacity() * sizeof(Member);
  }

 private:
  friend class DocumentParser;
  base::Arena arena_;
  std::vector<Node> nodes_;      // of containers that are not complete yet
  std::vector<Member> members_;  // likewise
  Node root_;
};

}  // namespace yett::policy
