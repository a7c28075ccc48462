// JSON in and out. Reading keeps the line of every value, so that a message can point at it; repeated keys are errors.
// The only file that knows jsoncpp is json.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace yett::json {

/// A parsed value. Plain data; copies are deep.
struct Value {
  enum class Type { kNull, kBool, kInt, kDouble, kString, kArray, kObject };
  Type type = Type::kNull;
  int line = 0;  ///< 1-based line of the value's first character
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;  ///< also set for kInt
  std::string text;
  std::vector<Value> items;                           ///< kArray
  std::vector<std::pair<std::string, Value>> fields;  ///< kObject, in bytewise order of the names

  // Out of line: where they are inline, clang 14 asks for a pair of what is not complete yet.
  Value();
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();

  const Value* find(std::string_view name) const;
  const char* typeName() const;
};

/// Parses JSON, with // and /* */ comments where `comments` says so, nested `depth` deep at the most. Errors: "line 3:
/// ...".
Result<Value> parse(std::string_view text, bool comments, int depth = 100);

bool isUtf8(std::string_view text);

/// It is one JSON value without a blank or a control character, nested `depth` deep at the most: it may stand in a line
/// as it is, and ends where it seems to end. What comes twice in an object is not looked at.
bool isLine(std::string_view text, int depth = 200);

/// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD, so the output is always
/// valid JSON; control characters are escaped, those of terminals and of bidirectional text too, so it is always one
/// line.
void appendQuoted(std::string& out, std::string_view text);

/// Writes one object as one line, fields in the order given: {"a":"b","n":1}.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  ObjectWriter& field(std::string_view name, std::string_view value);
  ObjectWriter& field(std::string_view name, const char* value) { return field(name, std::string_view(value)); }
  ObjectWriter& field(std::string_view name, int64_t value);
  ObjectWriter& flag(std::string_view name, bool value);
  /// `json` must be JSON already.
  ObjectWriter& raw(std::string_view name, std::string_view json);
  /// Of somebody else's: as JSON where it isLine(), else as text.
  ObjectWriter& rawOrText(std::string_view name, std::string_view json) {
    return isLine(json) ? raw(name, json) : field(name, json);
  }
  void end() { out_ += '}'; }

 private:
  void name(std::string_view name);
  std::string& out_;
  bool first_ = true;
};

}  // namespace yett::json
