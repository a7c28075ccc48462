// Cases as data: Markdown files with `http` blocks, in the notation of llhttp's tests.
#pragma once

#include <string>
#include <vector>

namespace yett::test {

struct MarkdownCase {
  std::string file;
  std::string title;
  std::string meta;    ///< the comment before the block
  std::string input;   ///< the bytes: escapes decoded, lines ending in CRLF
  std::string expect;  ///< the block after it
};

/// All cases of a Markdown file; empty if it does not exist.
std::vector<MarkdownCase> readMarkdownCases(const std::string& path);
/// The Markdown files of a folder, sorted.
std::vector<std::string> markdownFiles(const std::string& folder);

}  // namespace yett::test
