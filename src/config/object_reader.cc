#include "config/object_reader.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"

namespace yett::config {

using Type = json::Value::Type;

void Problems::add(int line, const std::string& pointer, const std::string& what) {
  texts_.push_back(file_ + ":" + std::to_string(line) + ": " + (pointer.empty() ? "/" : pointer) + ": " + what);
}

ObjectReader::ObjectReader(const json::Value& value, std::string pointer, Problems& problems)
    : value_(value), pointer_(std::move(pointer)), problems_(problems) {
  if (value_.type != Type::kObject)
    problems_.add(value_.line, pointer_, std::string("is ") + value_.typeName() + ", must be an object");
}

ObjectReader::~ObjectReader() {
  for (const auto& [key, value] : value_.fields) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    problems_.add(value.line, at(key), "unknown key" + base::didYouMean(key, asked_));
  }
}

void ObjectReader::ignoreRest() {
  for (const auto& [key, value] : value_.fields) asked_.push_back(key);
}

// RFC 6901: "~" and "/" in a key are escaped.
std::string ObjectReader::at(std::string_view key) const {
  std::string out = pointer_ + "/";
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

void ObjectReader::problem(std::string_view key, const std::string& what) {
  const auto* value = value_.find(key);
  problems_.add(value != nullptr ? value->line : value_.line, key.empty() ? pointer_ : at(key), what);
}

bool ObjectReader::has(std::string_view key) {
  asked_.push_back(key);
  return value_.find(key) != nullptr;
}

const json::Value* ObjectReader::find(std::string_view key, Type type, const char* wanted) {
  asked_.push_back(key);
  const auto* value = value_.find(key);
  if (value == nullptr || value->type == type) return value;
  problem(key, std::string("is ") + value->typeName() + ", must be " + wanted);
  return nullptr;
}

void ObjectReader::text(std::string_view key, std::string& out) {
  const auto* value = find(key, Type::kString, "a string");
  if (value == nullptr) return;
  if (value->text.empty()) return problem(key, "is empty");
  out = value->text;
}

void ObjectReader::requiredText(std::string_view key, std::string& out) {
  if (!has(key)) return problem("", "`" + std::string(key) + "` is missing");
  text(key, out);
}

void ObjectReader::flag(std::string_view key, bool& out) {
  if (const auto* value = find(key, Type::kBool, "true or false")) out = value->boolean;
}

void ObjectReader::textOrFlag(std::string_view key, std::string& text, bool& flag) {
  const auto* value = value_.find(key);
  if (value != nullptr && value->type == Type::kBool) this->flag(key, flag);
  else this->text(key, text);
}

void ObjectReader::number(std::string_view key, int64_t least, int64_t most, int64_t& out) {
  const auto* value = find(key, Type::kInt, "a whole number");
  if (value == nullptr) return;
  if (value->integer < least || value->integer > most) {
    return problem(key, "is " + std::to_string(value->integer) + ", must be from " + std::to_string(least) + " to " +
                            std::to_string(most));
  }
  out = value->integer;
}

void ObjectReader::duration(std::string_view key, base::Millis& out) {
  base::Millis read = out;
  durationOrZero(key, read);
  if (read.count() == 0 && read != out) return problem(key, "is zero: must be longer than 0");
  out = read;
}

void ObjectReader::durationOrZero(std::string_view key, base::Millis& out) {
  const auto* value = find(key, Type::kString, "a string with a duration, as in \"250ms\"");
  if (value == nullptr) return;
  auto parsed = base::parseDuration(value->text);
  if (!parsed) return problem(key, parsed.error().message);
  out = parsed.value();
}

void ObjectReader::size(std::string_view key, uint64_t& out) {
  const auto* value = find(key, Type::kString, "a string with a size, as in \"64KiB\"");
  if (value == nullptr) return;
  auto parsed = base::parseSize(value->text);
  if (!parsed) return problem(key, parsed.error().message);
  out = parsed.value();
}

void ObjectReader::texts(std::string_view key, std::vector<std::string>& out) {
  const auto* value = find(key, Type::kArray, "an array of strings");
  if (value == nullptr) return;
  for (const auto& item : value->items) {
    if (item.type == Type::kString && !item.text.empty()) out.push_back(item.text);
    else problems_.add(item.line, at(key), std::string("holds ") + item.typeName() + ", must hold strings");
  }
}

void ObjectReader::textOrTexts(std::string_view key, std::vector<std::string>& out) {
  const auto* value = value_.find(key);
  if (value != nullptr && value->type == Type::kArray) return texts(key, out);
  std::string one;
  text(key, one);
  if (!one.empty()) out.push_back(std::move(one));
}

void ObjectReader::numbers(std::string_view key, int64_t least, int64_t most, std::vector<int64_t>& out) {
  const auto* value = find(key, Type::kArray, "an array of whole numbers");
  if (value == nullptr) return;
  for (const auto& item : value->items) {
    if (item.type == Type::kInt && item.integer >= least && item.integer <= most) out.push_back(item.integer);
    else
      problems_.add(item.line, at(key),
                    "must hold whole numbers from " + std::to_string(least) + " to " + std::to_string(most));
  }
}

void ObjectReader::fraction(std::string_view key, double least, double most, double& out) {
  asked_.push_back(key);
  const auto* value = value_.find(key);
  if (value == nullptr) return;
  const bool number = value->type == Type::kInt || value->type == Type::kDouble;
  if (number && value->number >= least && value->number <= most) {
    out = value->number;
    return;
  }
  char range[64];
  std::snprintf(range, sizeof range, "must be a number from %g to %g", least, most);
  problems_.add(value->line, at(key), range);
}

void ObjectReader::choice(std::string_view key, const std::vector<std::string_view>& words, size_t& out) {
  const auto* value = find(key, Type::kString, "a string");
  if (value == nullptr) return;
  const auto it = std::find(words.begin(), words.end(), value->text);
  if (it != words.end()) {
    out = static_cast<size_t>(it - words.begin());
    return;
  }
  std::vector<std::string> quoted;
  for (const auto word : words) quoted.push_back("`" + std::string(word) + "`");
  problem(key, "is `" + base::printable(value->text) + "`, must be " + base::joined(quoted, " or "));
}

void ObjectReader::object(std::string_view key, const std::function<void(ObjectReader&)>& read) {
  asked_.push_back(key);
  const auto* value = value_.find(key);
  if (value == nullptr) return;
  ObjectReader reader(*value, at(key), problems_);
  read(reader);
}

void ObjectReader::objects(std::string_view key, size_t least, const std::function<void(ObjectReader&)>& read) {
  const auto* value = find(key, Type::kArray, "an array of objects");
  const size_t count = value == nullptr ? 0 : value->items.size();
  if (count < least && (value != nullptr || value_.find(key) == nullptr))
    problem(value != nullptr ? key : "", value != nullptr ? "is empty" : "`" + std::string(key) + "` is missing");
  for (size_t i = 0; i < count; ++i) {
    ObjectReader reader(value->items[i], at(key) + "/" + std::to_string(i), problems_);
    read(reader);
  }
}

void ObjectReader::textsOrObjects(std::string_view key, const std::function<void(const std::string&)>& text,
                                  const std::function<void(ObjectReader&)>& object) {
  const auto* value = find(key, Type::kArray, "an array of strings and objects");
  for (size_t i = 0; value != nullptr && i < value->items.size(); ++i) {
    const auto& item = value->items[i];
    if (item.type == Type::kString && !item.text.empty()) {
      text(item.text);
    } else if (item.type == Type::kObject) {
      ObjectReader reader(item, at(key) + "/" + std::to_string(i), problems_);
      object(reader);
    } else {
      problems_.add(item.line, at(key), std::string("holds ") + item.typeName() + ", must hold strings or objects");
    }
  }
}

void ObjectReader::weights(std::string_view key, const std::function<void(const std::string&, int64_t)>& read) {
  constexpr int64_t kMost = 1'000'000;
  const auto* value = find(key, Type::kObject, "an object");
  if (value == nullptr) return;
  for (const auto& [name, item] : value->fields) {
    if (item.type == Type::kInt && item.integer >= 0 && item.integer <= kMost) read(name, item.integer);
    else problems_.add(item.line, at(key) + "/" + name, "must be a whole number from 0 to 1000000");
  }
}

void ObjectReader::entries(std::string_view key,
                           const std::function<void(const std::string&, const std::string&)>& read,
                           const std::function<void(const std::string&, ObjectReader&)>& object) {
  const auto* value = find(key, Type::kObject, "an object");
  if (value == nullptr) return;
  for (const auto& [name, item] : value->fields) {
    const std::string place = at(key) + "/" + name;
    if (item.type == Type::kString && !item.text.empty()) {
      read(name, item.text);
    } else if (item.type == Type::kObject && object) {
      ObjectReader reader(item, place, problems_);
      object(name, reader);
    } else {
      const bool empty = item.type == Type::kString;
      problems_.add(item.line, place,
                    std::string("is ") + (empty ? "empty" : item.typeName()) + ", must be a string" +
                        (empty ? " with something in it" : "") + (object ? " or an object" : ""));
    }
  }
}

}  // namespace yett::config
