// Records of the audit log for people and for programs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "audit/reader.h"

namespace yett::cli {

/// One line each, with the line break.
std::string asJson(const audit::Row& row);
std::string asJson(const audit::EventRow& row);
/// RFC 4180 with all text quoted; text that a spreadsheet would read as a formula gets a leading apostrophe.
std::string csvHeader();
std::string asCsv(const audit::Row& row);
std::string csvEventHeader();
std::string asCsv(const audit::EventRow& row);
/// A cell: text, or a number.
struct Cell {
  Cell(std::string t) : text(std::move(t)) {}
  Cell(const char* t) : text(t) {}
  explicit Cell(int64_t number) : text(std::to_string(number)), is_text(false) {}
  static Cell none() {
    Cell out("");
    out.is_text = false;
    return out;
  }
  std::string text;
  bool is_text = true;
};
std::string csvLine(const std::vector<Cell>& cells);

/// Tables with aligned columns; ALLOW and DENY in color on a terminal.
void printTable(const std::vector<audit::Row>& rows, bool with_header);
void printTable(const std::vector<audit::EventRow>& rows, bool with_header);
/// `right`: columns that hold numbers.
void printColumns(const std::vector<std::vector<std::string>>& lines, const std::vector<size_t>& right);

/// Date and time to the millisecond, UTC.
std::string shownTime(int64_t micros);
/// "policy: rule", or the rule alone.
std::string shownRule(std::string_view policy, std::string_view rule);
/// "anonymous" if empty.
std::string shownPrincipal(const std::string& principal);

}  // namespace yett::cli
