#include "rule/hours.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "base/text.h"

namespace yett::rule {
namespace {

constexpr int kMinutesOfDay = 24 * 60;
constexpr size_t kMaxEntries = 32;
constexpr std::array<std::string_view, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<int> dayOf(std::string_view text) {
  for (size_t i = 0; i < kDays.size(); ++i) {
    if (base::equalsIgnoreCase(kDays[i], text)) return static_cast<int>(i);
  }
  return std::nullopt;
}

// Minutes of "HH:MM", "24:00" included.
std::optional<int> minutesOf(std::string_view text) {
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) return std::nullopt;
  const int hours = (text[0] - '0') * 10 + (text[1] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  const int all = hours * 60 + minutes;
  return minutes < 60 && all <= kMinutesOfDay ? std::optional<int>(all) : std::nullopt;
}

int64_t floorDiv(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

}  // namespace

Status Hours::add(std::string_view entry) {
  const auto dash = std::min(entry.find('-'), entry.size());
  const auto first = entry.substr(0, dash);
  const auto last = dash == entry.size() ? first : entry.substr(dash + 1);
  const auto from_day = dayOf(first);
  const auto to_day = dayOf(last);
  if (from_day && to_day) {
    for (int day = *from_day;; day = (day + 1) % 7) {
      days_ |= 1U << day;
      if (day == *to_day) return {};
    }
  }
  const auto begin = minutesOf(first);
  const auto end = minutesOf(last);
  const std::string shown = "`" + base::printable(entry.substr(0, 100)) + "`";
  if (!begin || !end || dash == entry.size())
    return Error{shown + " is neither a range of times nor of days: write `09:00-18:00`, `mon-fri` or `sat`"};
  if (*begin == *end) return Error{shown + " is empty: for the whole day, name no times"};
  if (*begin == kMinutesOfDay) return Error{shown + " begins at 24:00: write 00:00"};
  ranges_.push_back({*begin, *end});
  return {};
}

Result<Hours> Hours::create(const std::vector<std::string>& entries, std::string_view zone) {
  if (zone.empty())
    return Error{"has no time zone: write, for example, { \"09:00-18:00\", \"mon-fri\", zone = \"Europe/Berlin\" }"};
  if (entries.empty()) return Error{"names neither times nor days"};
  if (entries.size() > kMaxEntries) return Error{"has over " + std::to_string(kMaxEntries) + " entries"};
  Hours out(TRY(TimeZone::load(zone)));
  for (const auto& entry : entries) TRY(out.add(entry));
  out.zone_name_ = zone;
  out.text_ = base::joined(entries, ", ") + " " + std::string(zone);
  return out;
}

Hours::Local Hours::localAt(int64_t seconds) const {
  const int64_t local = seconds + zone_.offset(seconds);
  const int64_t day = floorDiv(local, 86'400);
  return {day, static_cast<int>((local - day * 86'400) / 60)};
}

// 1970-01-01 was a Thursday.
unsigned Hours::weekdayOf(int64_t day) {
  return static_cast<unsigned>(((day + 3) % 7 + 7) % 7);
}

std::string Hours::localTime(int64_t seconds) const {
  const auto [day, minute] = localAt(seconds);
  char time[16];
  std::snprintf(time, sizeof time, " %02d:%02d ", minute / 60, minute % 60);
  return std::string(kDays[weekdayOf(day)]) + time + zone_name_;
}

bool Hours::contains(int64_t seconds) const {
  const auto [day, minute] = localAt(seconds);
  const auto on = [this](int64_t number) { return days_ == 0 || (days_ >> weekdayOf(number) & 1) != 0; };
  if (ranges_.empty()) return on(day);
  return std::any_of(ranges_.begin(), ranges_.end(), [&, day = day, minute = minute](const Range& range) {
    if (range.begin < range.end) return minute >= range.begin && minute < range.end && on(day);
    return (minute >= range.begin && on(day)) || (minute < range.end && on(day - 1));
  });
}

}  // namespace yett::rule
