// What the terminal can show: colour, width, and how wide a text is on it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace yett::cli {

/// stdout is a terminal, and neither NO_COLOR (no-color.org) nor TERM=dumb asks for plain text.
bool useColour();

/// Columns of the terminal that stdout is, or of COLUMNS; 0: it is none, and lines may be as long as they are.
size_t terminalWidth();

/// Columns that UTF-8 text takes: wide characters take two, combining ones none.
size_t columnsOf(std::string_view text);

/// The text, or its beginning and an ellipsis, in at most `columns` (2 or more).
std::string cutTo(std::string_view text, size_t columns);

}  // namespace yett::cli
