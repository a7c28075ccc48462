#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/text.h"

namespace yett::cli {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

// East Asian wide characters and pictures (Unicode TR 11, shortened), and characters without a width.
constexpr Range kWide[] = {{0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},  {0xfe30, 0xfe6f},
                           {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
constexpr Range kNone[] = {{0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};

template <size_t N>
bool within(uint32_t code, const Range (&ranges)[N]) {
  for (const auto& range : ranges) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

// The size of the character at the front, and the columns it takes. Bytes that are not UTF-8 count as one each.
size_t nextCharacter(std::string_view text, size_t& columns) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  size_t size = byte(0) < 0x80 ? 1 : byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : byte(0) >= 0xc0 ? 2 : 1;
  if (size > text.size()) size = 1;
  uint32_t code = size == 1 ? byte(0) : byte(0) & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; ++i) code = code << 6 | (byte(i) & 0x3fu);
  columns = within(code, kNone) ? 0 : within(code, kWide) ? 2 : 1;
  return size;
}

}  // namespace

bool useColour() {
  const char* off = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && (off == nullptr || *off == '\0') &&
         (term == nullptr || std::string_view(term) != "dumb");
}

size_t terminalWidth() {
  uint64_t columns = 0;
  const char* named = std::getenv("COLUMNS");
  if (named != nullptr && base::parseUnsigned(named, columns) && columns >= 20 && columns < 100'000) return columns;
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 0;
  return size.ws_col;
}

size_t columnsOf(std::string_view text) {
  size_t out = 0;
  for (size_t columns = 0; !text.empty();) {
    text.remove_prefix(nextCharacter(text, columns));
    out += columns;
  }
  return out;
}

std::string cutTo(std::string_view text, size_t columns) {
  if (columnsOf(text) <= columns) return std::string(text);
  size_t used = 0;
  size_t end = 0;
  for (size_t wide = 0; end < text.size();) {
    const size_t size = nextCharacter(text.substr(end), wide);
    if (used + wide > columns - 1) break;
    used += wide;
    end += size;
  }
  return std::string(text.substr(0, end)) + "\u2026";
}

}  // namespace yett::cli
