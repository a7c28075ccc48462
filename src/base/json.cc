#include "base/json.h"

#include <json/json.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "base/json_hint.h"
#include "base/text.h"

namespace yett::json {
namespace {

// Finds the line of an offset. Built once per document, since it is used for every value.
class Lines {
 public:
  explicit Lines(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') ends_.push_back(static_cast<ptrdiff_t>(i));
    }
  }
  int at(ptrdiff_t offset) const {
    return 1 + static_cast<int>(std::lower_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
  }

 private:
  std::vector<ptrdiff_t> ends_;
};

Value convert(const Json::Value& in, const Lines& lines) {
  Value out;
  out.line = lines.at(in.getOffsetStart());
  switch (in.type()) {
    case Json::nullValue: break;
    case Json::booleanValue:
      out.type = Value::Type::kBool;
      out.boolean = in.asBool();
      break;
    case Json::intValue:
    case Json::uintValue:
    case Json::realValue:
      out.number = in.asDouble();
      out.type = in.isInt64() && in.type() != Json::realValue ? Value::Type::kInt : Value::Type::kDouble;
      if (out.type == Value::Type::kInt) out.integer = in.asInt64();
      break;
    case Json::stringValue:
      out.type = Value::Type::kString;
      out.text = in.asString();
      break;
    case Json::arrayValue:
      out.type = Value::Type::kArray;
      for (const auto& item : in) out.items.push_back(convert(item, lines));
      break;
    case Json::objectValue:
      out.type = Value::Type::kObject;
      for (auto it = in.begin(); it != in.end(); ++it) out.fields.emplace_back(it.name(), convert(*it, lines));
      break;
  }
  return out;
}

// The length of the well-formed UTF-8 sequence at the front (RFC 3629), or 0.
size_t utf8Length(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  const size_t size = lead < 0x80                   ? 1
                      : lead >= 0xc2 && lead < 0xe0 ? 2
                      : (lead & 0xf0) == 0xe0       ? 3
                      : lead >= 0xf0 && lead < 0xf5 ? 4
                                                    : 0;
  if (size == 0 || s.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;
  if (lead == 0xed && byte(1) >= 0xa0) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) >= 0x90) return 0;
  return size;
}

}  // namespace

Value::Value() = default;
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

const Value* Value::find(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

const char* Value::typeName() const {
  switch (type) {
    case Type::kNull: return "null";
    case Type::kBool: return "a boolean";
    case Type::kInt: return "a number";
    case Type::kDouble: return "a number";
    case Type::kString: return "a string";
    case Type::kArray: return "an array";
    case Type::kObject: return "an object";
  }
  return "";
}

Result<Value> parse(std::string_view text, bool comments, int depth) {
  Json::CharReaderBuilder builder;
  Json::CharReaderBuilder::strictMode(&builder.settings_);
  builder["allowComments"] = comments;
  builder["strictRoot"] = false;
  builder["rejectDupKeys"] = true;
  builder["failIfExtra"] = true;
  builder["stackLimit"] = depth;
  const std::unique_ptr<Json::CharReader> reader(builder.newCharReader());
  Json::Value root;
  std::string errors;
  try {
    if (reader->parse(text.data(), text.data() + text.size(), &root, &errors)) return convert(root, Lines(text));
  } catch (const Json::Exception& e) {
    return Error{"line 1: " + explainSyntax(text, 0, e.what(), comments)};
  }
  // jsoncpp says "* Line 3, Column 5\n  Missing ...\n".
  size_t line = 1;
  size_t column = 1;
  if (const auto at = errors.find("Line "); at != std::string::npos) {
    line = std::strtoul(errors.c_str() + at + 5, nullptr, 10);
    column = std::strtoul(errors.c_str() + errors.find("Column ", at) + 7, nullptr, 10);
  }
  const auto eol = errors.find('\n');
  std::string_view raw = eol == std::string::npos ? std::string_view(errors) : std::string_view(errors).substr(eol + 1);
  raw = base::trimmed(raw.substr(0, raw.find('\n')));
  size_t offset = 0;
  for (size_t l = 1; l < line && offset != std::string_view::npos; ++l) offset = text.find('\n', offset) + 1;
  return Error{"line " + std::to_string(line) + ": " + explainSyntax(text, offset + column - 1, raw, comments)};
}

bool isUtf8(std::string_view text) {
  constexpr uint64_t kHigh = 0x8080808080808080;
  uint64_t word = 0;
  while (text.size() >= 8) {  // most texts are ASCII
    std::memcpy(&word, text.data(), 8);
    if ((word & kHigh) != 0) break;
    text.remove_prefix(8);
  }
  while (!text.empty()) {
    const size_t size = utf8Length(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// Characters that control a terminal or reorder a line: C1 controls, line separators and bidirectional controls.
static bool steers(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 2)  // C1 controls, U+061C
    return (byte(0) == 0xc2 && byte(1) < 0xa0) || (byte(0) == 0xd8 && byte(1) == 0x9c);
  if (character.size() != 3 || byte(0) != 0xe2) return false;
  // U+200E, U+200F; the line separators U+2028, U+2029; U+202A to U+202E; U+2066 to U+2069
  return (byte(1) == 0x80 && (byte(2) == 0x8e || byte(2) == 0x8f || (byte(2) >= 0xa8 && byte(2) <= 0xae))) ||
         (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9);
}

void appendQuoted(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const unsigned char c = static_cast<unsigned char>(text[0]);
    size_t size = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[0];
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += kDigits[c >> 4];
      out += kDigits[c & 15];
    } else if ((size = utf8Length(text)) == 0) {
      out += "\xef\xbf\xbd";
      size = 1;
    } else if (size > 1 && steers(text.substr(0, size))) {
      const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
      const unsigned code = size == 2 ? (byte(0) & 0x1fu) << 6 | (byte(1) & 0x3fu)
                                      : (byte(0) & 0xfu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[code >> shift & 15];
    } else {
      out.append(text.data(), size);
    }
    text.remove_prefix(size);
  }
  out += '"';
}

static void appendValue(std::string& out, const Value& value) {
  const auto join = [&out](char open, char close, const auto& list, auto each) {
    out += open;
    for (size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out += ',';
      each(list[i]);
    }
    out += close;
  };
  switch (value.type) {
    case Value::Type::kNull: out += "null"; break;
    case Value::Type::kBool: out += value.boolean ? "true" : "false"; break;
    case Value::Type::kInt: out += std::to_string(value.integer); break;
    case Value::Type::kDouble: {
      char digits[32];
      out.append(digits, std::to_chars(digits, digits + sizeof digits, value.number).ptr);
      break;
    }
    case Value::Type::kString: appendQuoted(out, value.text); break;
    case Value::Type::kArray: join('[', ']', value.items, [&out](const Value& item) { appendValue(out, item); }); break;
    case Value::Type::kObject:
      join('{', '}', value.fields, [&out](const auto& field) {
        appendQuoted(out, field.first);
        out += ':';
        appendValue(out, field.second);
      });
      break;
  }
}

std::string text(const Value& value) {
  std::string out;
  appendValue(out, value);
  return out;
}

void ObjectWriter::name(std::string_view name) {
  if (!first_) out_ += ',';
  first_ = false;
  appendQuoted(out_, name);
  out_ += ':';
}

ObjectWriter& ObjectWriter::field(std::string_view key, std::string_view value) {
  name(key);
  appendQuoted(out_, value);
  return *this;
}

ObjectWriter& ObjectWriter::field(std::string_view key, int64_t value) {
  name(key);
  if (value < 0) out_ += '-';
  base::appendNumber(out_, value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value));
  return *this;
}

ObjectWriter& ObjectWriter::flag(std::string_view key, bool value) {
  return raw(key, value ? "true" : "false");
}

ObjectWriter& ObjectWriter::raw(std::string_view key, std::string_view json) {
  name(key);
  out_ += json;
  return *this;
}

}  // namespace yett::json
