// Reads and writes JSON. The parser keeps the line of every value so that messages can point to it; duplicate keys are
// errors. Only json.cc uses jsoncpp.
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

  // Defined out of line: inline, clang 14 would instantiate std::pair with the incomplete Value.
  Value();
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();

  const Value* find(std::string_view name) const;
  const char* typeName() const;
};

/// Parses JSON, nested at most `depth` deep; `comments` allows // and /* */ comments. Errors begin with the line:
/// "line 3: ...".
Result<Value> parse(std::string_view text, bool comments, int depth = 100);

bool isUtf8(std::string_view text);

/// Whether `text` is exactly one JSON value without whitespace between tokens or control characters, nested at most
/// `depth` deep, so that it can be embedded in a line unchanged. Duplicate keys are not checked.
bool isLine(std::string_view text, int depth = 200);

/// The value as JSON in one line.
std::string text(const Value& value);

/// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD, so the output is always
/// valid JSON. Control characters, including C1 and bidirectional ones, are escaped, so the output is always one line.
void appendQuoted(std::string& out, std::string_view text);

/// Writes one object as one line, fields in the order given: {"a":"b","n":1}.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  ObjectWriter& field(std::string_view name, std::string_view value);
  ObjectWriter& field(std::string_view name, const char* value) { return field(name, std::string_view(value)); }
  ObjectWriter& field(std::string_view name, int64_t value);
  ObjectWriter& flag(std::string_view name, bool value);
  /// `json` must already be valid JSON.
  ObjectWriter& raw(std::string_view name, std::string_view json);
  /// For untrusted input: written as JSON if isLine(), otherwise as a string.
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
