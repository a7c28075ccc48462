// Rows of the log as commands select and print them.
#pragma once

#include <iostream>
#include <string>
#include <type_traits>
#include <vector>

#include "audit/reader.h"
#include "cli/log.h"
#include "cli/log_print.h"

namespace yett::cli {

template <typename Row>
void printRows(const std::vector<Row>& rows, const LogOptions& options, bool with_header) {
  if (options.format == "table") return printTable(rows, with_header);
  if (options.format == "csv" && with_header) std::cout << (options.events ? csvEventHeader() : csvHeader());
  for (const auto& row : rows) std::cout << (options.format == "csv" ? asCsv(row) : asJson(row));
  std::cout.flush();
}

template <typename Row>
Result<std::vector<Row>> rowsOf(audit::Reader& reader, const audit::Query& query) {
  if constexpr (std::is_same_v<Row, audit::Row>) return reader.decisions(query);
  else return reader.events(query);
}

/// A `--status`: "" or a number, with `x` for any digit.
Status checkStatus(const std::string& status);
/// Whether the answer had it. A decision without an outcome has none.
bool fitsStatus(const audit::Row& row, const std::string& wanted);

}  // namespace yett::cli
