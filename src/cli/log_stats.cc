// `yett log stats`: counts, overall or grouped.
#include <algorithm>
#include <iostream>
#include <map>

#include "audit/reader.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/log.h"
#include "cli/log_print.h"

namespace yett::cli {
Result<std::vector<audit::Group>> groupsOf(const LogOptions& options, const std::vector<std::string>& by,
                                           int64_t limit) {
  std::map<std::vector<std::string>, audit::Group> all;
  audit::Query query = options.query;
  query.limit = INT64_MAX;
  for (const auto& file : options.databases) {
    auto reader = TRY(openListed(file));
    if (!reader) continue;
    for (auto& group : TRY(reader->groups(query, by))) {
      const auto [it, fresh] = all.try_emplace(group.key, group);
      if (fresh) continue;
      it->second.count += group.count;
      it->second.denied += group.denied;
      it->second.errors += group.errors;
      it->second.first = std::min(it->second.first, group.first);
      it->second.last = std::max(it->second.last, group.last);
    }
  }
  std::vector<audit::Group> out;
  for (auto& [key, group] : all) out.push_back(std::move(group));
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  if (static_cast<int64_t>(out.size()) > limit) out.resize(static_cast<size_t>(limit));
  return out;
}

namespace {

std::string shown(const std::string& column, const std::string& value) {
  if (column == "principal") return shownPrincipal(value);
  return value.empty() ? "-" : base::printable(value);
}

void printGroups(const std::vector<std::string>& by, const std::vector<audit::Group>& found,
                 const std::string& format) {
  if (format == "json") {
    for (const auto& group : found) {
      std::string out;
      json::ObjectWriter w(out);
      for (size_t i = 0; i < by.size(); ++i) w.field(by[i], group.key[i]);
      w.field("count", group.count).field("denied", group.denied).field("errors", group.errors);
      w.field("first", base::formatTime(group.first)).field("last", base::formatTime(group.last)).end();
      std::cout << out << "\n";
    }
    return;
  }
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> header = {"COUNT", "DENIED", "ERRORS", "FIRST", "LAST"};
  for (const auto& name : by) {
    std::string upper = name;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    header.push_back(upper);
  }
  if (format == "csv") {
    header = {"count", "denied", "errors", "first", "last"};
    header.insert(header.end(), by.begin(), by.end());
  }
  lines.push_back(header);
  for (const auto& group : found) {
    const bool csv = format == "csv";
    std::vector<std::string> line = {std::to_string(group.count), std::to_string(group.denied),
                                     std::to_string(group.errors),
                                     csv ? base::formatTime(group.first) : shownTime(group.first),
                                     csv ? base::formatTime(group.last) : shownTime(group.last)};
    for (size_t i = 0; i < by.size(); ++i) line.push_back(csv ? group.key[i] : shown(by[i], group.key[i]));
    lines.push_back(line);
  }
  if (format == "csv") {
    for (const auto& line : lines) {
      std::vector<Cell> cells(line.begin(), line.end());
      for (size_t i = 0; i < 3; ++i) cells[i].is_text = &line == &lines.front();
      std::cout << csvLine(cells);
    }
  } else {
    printColumns(lines, {0, 1, 2});
  }
}

// What most people want to know first: how many decisions, who, by which rules, and what is denied.
Status overview(const LogOptions& options) {
  const auto total = TRY(groupsOf(options, {}, 1));
  if (total.empty()) {
    std::cout << "no decisions\n";
    return {};
  }
  const auto& all = total.front();
  std::cout << all.count << " decisions from " << shownTime(all.first) << " to " << shownTime(all.last) << ", "
            << all.denied << " denied, " << all.errors << " with errors\n";
  const auto top = [&](const char* title, const std::vector<std::string>& by, const std::string& effect) -> Status {
    LogOptions part = options;
    if (!effect.empty()) part.query.effect = effect;
    const auto found = TRY(groupsOf(part, by, options.query.limit));
    if (found.empty()) return {};
    std::cout << "\n" << title << "\n";
    printGroups(by, found, "table");
    return {};
  };
  TRY(top("TOP PRINCIPALS", {"principal"}, ""));
  TRY(top("TOP RULES", {"effect", "policy", "rule"}, ""));
  return top("TOP DENIALS", {"principal", "method", "path", "rule"}, "deny");
}

}  // namespace

int logStats(LogOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  if (options.by.empty() && options.format == "table") {
    const auto done = overview(options);
    return done ? 0 : failed(done.error());
  }
  for (const auto& name : options.by) {
    const auto& known = audit::groupable();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::vector<std::string_view> names(known.begin(), known.end());
    return failed(Error{"--by `" + name + "` is not a column" + base::didYouMean(name, names) + ": " +
                        base::joined(known, ", ")});
  }
  auto found = groupsOf(options, options.by, options.query.limit);
  if (!found) return failed(found.error());
  printGroups(options.by, found.value(), options.format);
  return 0;
}

}  // namespace yett::cli
