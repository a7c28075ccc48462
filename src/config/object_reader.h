// Reads one JSON object of the configuration, field by field. Reports every problem with its place, not only the
// first.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/units.h"

namespace yett::config {

/// "yett.json:14: /listeners/0/adress: unknown key, did you mean `address`?"
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void add(int line, const std::string& pointer, const std::string& what);
  void add(const std::string& text) { texts_.push_back(text); }
  const std::vector<std::string>& texts() const { return texts_; }
  bool any() const { return !texts_.empty(); }

 private:
  std::string file_;
  std::vector<std::string> texts_;
};

class ObjectReader {
 public:
  /// `value` may be of any type; if it is not an object, reports that and reads it as an empty object.
  ObjectReader(const json::Value& value, std::string pointer, Problems& problems);
  /// Reports the keys that nobody asked for.
  ~ObjectReader();
  ObjectReader(const ObjectReader&) = delete;

  bool has(std::string_view key);
  /// Each leaves `out` unchanged if the key is missing, and reports a wrong type or format.
  void text(std::string_view key, std::string& out);
  void flag(std::string_view key, bool& out);
  /// A string, or `true`, or `false`.
  void textOrFlag(std::string_view key, std::string& text, bool& flag);
  void number(std::string_view key, int64_t least, int64_t most, int64_t& out);
  void fraction(std::string_view key, double least, double most, double& out);
  void duration(std::string_view key, base::Millis& out);
  /// The same where zero means none.
  void durationOrZero(std::string_view key, base::Millis& out);
  void size(std::string_view key, uint64_t& out);
  void numbers(std::string_view key, int64_t least, int64_t most, std::vector<int64_t>& out);
  void texts(std::string_view key, std::vector<std::string>& out);
  /// A string, or an array of strings.
  void textOrTexts(std::string_view key, std::vector<std::string>& out);
  /// An array of strings and objects.
  void textsOrObjects(std::string_view key, const std::function<void(const std::string&)>& text,
                      const std::function<void(ObjectReader&)>& object);
  /// `out` is the index of the value in `words`.
  void choice(std::string_view key, const std::vector<std::string_view>& words, size_t& out);
  void requiredText(std::string_view key, std::string& out);
  void object(std::string_view key, const std::function<void(ObjectReader&)>& read);
  /// An array of at least `least` objects.
  void objects(std::string_view key, size_t least, const std::function<void(ObjectReader&)>& read);
  /// Calls `read` for each field of an object with arbitrary keys; `object` for those that are objects, if they may be.
  void entries(std::string_view key, const std::function<void(const std::string& name, const std::string& value)>& read,
               const std::function<void(const std::string& name, ObjectReader& value)>& object = nullptr);

  /// Calls `read` for each field of an object of whole numbers from 0 to a million.
  void weights(std::string_view key, const std::function<void(const std::string& name, int64_t weight)>& read);

  /// Reports no unknown keys: the valid ones depend on a key that was wrong.
  void ignoreRest();
  void problem(std::string_view key, const std::string& what);
  const std::string& pointer() const { return pointer_; }

 private:
  const json::Value* find(std::string_view key, json::Value::Type type, const char* wanted);
  std::string at(std::string_view key) const;
  const json::Value& value_;
  const std::string pointer_;
  Problems& problems_;
  std::vector<std::string_view> asked_;
};

}  // namespace yett::config
