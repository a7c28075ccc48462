#include "cli/times.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <optional>

#include "base/text.h"
#include "base/units.h"

namespace yett::cli {
namespace {

constexpr int64_t kDay = 86'400;
constexpr uint64_t kMaxSeconds = 1'000'000'000'000;

tm brokenDown(int64_t seconds) {
  const time_t t = seconds;
  tm out{};
  gmtime_r(&t, &out);
  return out;
}

// "3 hours ago", "an hour ago", "90s ago"
std::optional<int64_t> ago(const std::string& text) {
  constexpr std::string_view kAgo = " ago";
  if (!text.ends_with(kAgo)) return std::nullopt;
  const std::string amount = text.substr(0, text.size() - kAgo.size());
  if (auto duration = base::parseDuration(amount)) return duration.value().count() / 1000;
  const auto words = base::split(amount, ' ');
  if (words.size() != 2) return std::nullopt;
  uint64_t count = 1;
  if (words[0] != "a" && words[0] != "an" && !base::parseUnsigned(words[0], count)) return std::nullopt;
  static constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", kDay}, {"week", 7 * kDay}};
  for (const auto& [unit, seconds] : kUnits) {
    if (words[1] != unit && words[1] != std::string(unit) + "s") continue;
    if (count > kMaxSeconds / static_cast<uint64_t>(seconds)) return std::nullopt;
    return static_cast<int64_t>(count) * seconds;
  }
  return std::nullopt;
}

std::optional<int64_t> named(const std::string& text, int64_t now) {
  const int64_t today = now - now % kDay;
  const tm parts = brokenDown(now);
  const int64_t monday = today - (parts.tm_wday + 6) % 7 * kDay;
  if (text == "now") return now;
  if (text == "today") return today;
  if (text == "yesterday") return today - kDay;
  if (text == "this week") return monday;
  if (text == "last week") return monday - 7 * kDay;
  if (text == "this month") return today - (parts.tm_mday - 1) * kDay;
  static constexpr std::array<std::string_view, 7> kDays = {"sunday",   "monday", "tuesday", "wednesday",
                                                            "thursday", "friday", "saturday"};
  for (int i = 0; i < 7; ++i) {
    const std::string_view day = kDays[static_cast<size_t>(i)];
    const int64_t ago = (parts.tm_wday - i + 7) % 7;
    if (text == day) return today - ago * kDay;
    if (text == "last " + std::string(day)) return today - (ago == 0 ? 7 : ago) * kDay;
  }
  if (text == "last month" || text == "this quarter" || text == "last quarter" || text == "this year" ||
      text == "last year") {
    tm first{};
    first.tm_year = parts.tm_year - (text == "last year" ? 1 : 0);
    first.tm_mday = 1;
    const int quarter = parts.tm_mon / 3 * 3;
    first.tm_mon = text == "last month"     ? parts.tm_mon - 1
                   : text == "this quarter" ? quarter
                   : text == "last quarter" ? quarter - 3
                                            : 0;
    return timegm(&first);
  }
  return std::nullopt;
}

// Reads what may follow a time: a fraction, then `z` or an offset. False if there is anything else.
bool zone(const char* text, bool allowed, int64_t& micros) {
  if (*text == '\0') return true;
  if (!allowed) return false;
  if (*text == '.') {
    int64_t unit = 100'000;
    for (++text; *text >= '0' && *text <= '9'; ++text, unit /= 10) micros += (*text - '0') * unit;
  }
  if (*text == 'z') return text[1] == '\0';
  if (*text == '\0') return true;
  int hours = 0;
  int minutes = 0;
  int length = 0;
  if (*text != '+' && *text != '-') return false;
  const bool colon = std::sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &length) == 2 && length == 5;
  if (!colon && !(std::sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &length) == 2 && length == 4)) return false;
  if (text[1 + length] != '\0' || hours > 23 || minutes > 59) return false;
  micros -= (*text == '-' ? -1 : 1) * (hours * int64_t{3600} + minutes * int64_t{60}) * 1'000'000;
  return true;
}

}  // namespace

Result<int64_t> parseTime(const std::string& said, int64_t now_micros) {
  const std::string text = base::lowered(base::trimmed(said));
  const int64_t now = now_micros / 1'000'000;
  if (auto duration = base::parseDuration(text);
      duration && duration.value().count() / 1000 <= static_cast<int64_t>(kMaxSeconds))
    return now_micros - duration.value().count() * 1000;
  if (const auto seconds = ago(text)) return now_micros - *seconds * 1'000'000;
  if (const auto seconds = named(text, now)) return *seconds * 1'000'000;
  for (const char* form : {"%Y-%m-%dt%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dt%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d",
                           "%H:%M", "%H:%M:%S"}) {
    const bool clock = form[1] == 'H';
    tm parts = clock ? brokenDown(now - now % kDay) : tm{};
    const int day = parts.tm_mday;
    const char* end = ::strptime(text.c_str(), form, &parts);
    int64_t micros = 0;
    if (end == nullptr || !zone(end, !clock, micros)) continue;
    const tm asked = parts;
    const int64_t seconds = timegm(&parts);
    if (!clock && (asked.tm_mday != parts.tm_mday || asked.tm_mon != parts.tm_mon)) break;  // the 31st of February
    if (clock && day != parts.tm_mday) break;
    return seconds * 1'000'000 + micros;
  }
  int year = 0;
  int quarter = 0;
  int length = 0;
  if (std::sscanf(text.c_str(), "%4d-q%1d%n", &year, &quarter, &length) == 2 && length == 7 && text.size() == 7 &&
      year >= 1970 && quarter >= 1 && quarter <= 4) {
    tm first{};
    first.tm_year = year - 1900;
    first.tm_mon = (quarter - 1) * 3;
    first.tm_mday = 1;
    return static_cast<int64_t>(timegm(&first)) * 1'000'000;
  }
  // Seconds since 1970: ten digits are 2001 to 2286.
  if (uint64_t epoch = 0; text.size() == 10 && base::parseUnsigned(text, epoch))
    return static_cast<int64_t>(epoch) * 1'000'000;
  if (tm parts{}; text.size() == 7) {
    const char* end = ::strptime((text + "-01").c_str(), "%Y-%m-%d", &parts);
    if (end != nullptr && *end == '\0') return static_cast<int64_t>(timegm(&parts)) * 1'000'000;
  }
  return Error{"`" + base::printable(said) +
               "` is not a time: write `10m` or `2 hours ago`, `today`, `yesterday`, `monday`, `14:30`, `2026-11-21`, "
               "`2026-q3`, `2026-11-21T12:00:00Z` (UTC) or seconds since 1970"};
}

}  // namespace yett::cli
