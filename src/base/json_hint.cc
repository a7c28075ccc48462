#include "base/json_hint.h"

#include "base/text.h"

namespace yett::json {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// The last character before `offset` that is not blank; 0 if there is none.
char before(std::string_view text, size_t offset) {
  const auto at = text.substr(0, offset).find_last_not_of(kBlank);
  return at == std::string_view::npos ? '\0' : text[at];
}

// A word, a number, or one other character.
std::string_view wordAt(std::string_view text, size_t offset) {
  static constexpr std::string_view kEnd = " \t\r\n,:{}[]\"'";
  const auto end = text.find_first_of(kEnd, offset);
  const size_t size = (end == std::string_view::npos ? text.size() : end) - offset;
  return text.substr(offset, std::max<size_t>(1, std::min<size_t>(size, 40)));
}

bool looksLikeYaml(std::string_view text) {
  if (text.starts_with("---")) return true;
  const auto line = text.substr(0, text.find('\n'));
  const auto colon = line.find(':');
  if (text.starts_with("- ")) return true;
  return colon != std::string_view::npos && colon > 0 &&
         line.substr(0, colon).find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string_view::npos;
}

// A hint based on the character at `offset` alone; "" if there is none.
std::string byCharacter(std::string_view text, size_t offset, bool comments) {
  const char c = text[offset];
  const char last = before(text, offset);
  if ((c == '}' || c == ']') && last == ',')
    return std::string("remove the comma before `") + c + "`: JSON allows none after the last item";
  if (c == '\'') return "names and strings need double quotes, not single ones";
  if (c == '#') return comments ? "comments begin with `//`, not with `#`" : "comments are not allowed in this file";
  if (c == '/' && !comments) return "comments are not allowed in this file";
  if (c == '$') return "variables are not replaced in this file: write the value itself";
  if (c == '=' && last == '"') return "a name is followed by `:`, not by `=`";
  const std::string_view word = wordAt(text, offset);
  for (const std::string_view known : {"true", "false", "null"}) {
    if (word != known && base::equalsIgnoreCase(word, known))
      return "`" + std::string(word) + "` must be written in lower case: `" + std::string(known) + "`";
  }
  if (c == '"' &&
      text.substr(offset + 1).substr(0, text.substr(offset + 1).find('\n')).find('"') == std::string_view::npos)
    return "the string that begins here has no closing quote";
  return "";
}

}  // namespace

std::string explainSyntax(std::string_view text, size_t offset, std::string_view raw, bool comments) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return "the file is empty: it must contain a JSON value";
  if (text[first] != '{' && text[first] != '[' && looksLikeYaml(text.substr(first)))
    return "this looks like YAML, which Yett does not read: write JSON";
  if (raw.starts_with("Exceeded stackLimit")) return "objects and arrays are nested too deeply";
  if (raw.starts_with("Duplicate key: ")) {
    const auto name = raw.substr(raw.find('\'') + 1);
    return "the key `" + base::printable(name.substr(0, name.rfind('\''))) + "` appears twice in one object";
  }
  if (offset >= text.size() || text.substr(offset).find_first_not_of(kBlank) == std::string_view::npos)
    return "the text ends too early: a `}`, `]` or `\"` is missing";
  if (std::string hint = byCharacter(text, offset, comments); !hint.empty()) return hint;
  const std::string word = "`" + base::printable(wordAt(text, offset)) + "`";
  if (raw.find("in object declaration") != std::string_view::npos ||
      raw.find("in array declaration") != std::string_view::npos)
    return "a comma is missing before " + word + ", or a bracket is not closed";
  if (raw.starts_with("Missing ':'")) return "a `:` is missing before " + word;
  if (raw.starts_with("Missing '}'")) return "a name in double quotes is expected instead of " + word;
  if (raw.starts_with("Extra")) return "unexpected text after the end of the document: " + word;
  if (raw.find("escape") != std::string_view::npos || raw.find("surrogate") != std::string_view::npos)
    return "a string contains an escape that JSON does not support: write `\\\\` for a backslash";
  if (raw.find("number") != std::string_view::npos) return word + " is not a valid JSON number";
  return "a value is expected instead of " + word;
}

}  // namespace yett::json
