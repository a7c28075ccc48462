#include "support/cases.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"

namespace yett::test {

// A backslash at the end of a line joins it to the next; \r \n \t \f \xNN are those bytes; a real line end is CRLF.
static std::string decode(const std::string& block) {
  std::string out;
  for (size_t i = 0; i < block.size(); ++i) {
    const char c = block[i];
    const char next = i + 1 < block.size() ? block[i + 1] : '\0';
    if (c == '\n') out += "\r\n";
    else if (c != '\\') out += c;
    else if (next == '\n') ++i;
    else if (next == 'r') out += '\r', ++i;
    else if (next == 'n') out += '\n', ++i;
    else if (next == 't') out += '\t', ++i;
    else if (next == 'f') out += '\f', ++i;
    else if (next == 'x' && i + 3 < block.size()) {
      out += static_cast<char>(base::hexValue(block[i + 2]) * 16 + base::hexValue(block[i + 3]));
      i += 3;
    } else out += c;
  }
  return out;
}

std::vector<MarkdownCase> readMarkdownCases(const std::string& path) {
  std::vector<MarkdownCase> out;
  std::ifstream file(path);
  std::string line, title, meta, block;
  enum { kText, kInput, kExpect } where = kText;
  while (std::getline(file, line)) {
    if (where == kText) {
      if (line.starts_with("#")) title = line.substr(line.find_first_not_of("# "));
      else if (line.starts_with("<!--")) meta = line;
      else if (line == "```http") where = kInput, block.clear();
      else if (line.starts_with("```") && line.size() > 3 && !out.empty()) where = kExpect, block.clear();
    } else if (line == "```") {
      if (!block.empty()) block.pop_back();
      if (where == kInput)
        out.push_back({std::filesystem::path(path).filename().string(), title, meta, decode(block), ""});
      else out.back().expect = block;
      where = kText;
    } else {
      block += line + "\n";
    }
  }
  return out;
}

std::vector<std::string> markdownFiles(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".md") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace yett::test
