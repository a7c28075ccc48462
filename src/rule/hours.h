// The matcher `hours`: times of day and days of the week in a time zone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rule/time_zone.h"

namespace yett::rule {

/// Immutable; any thread.
class Hours {
 public:
  /// `entries`: "09:00-18:00" (the end is excluded; "22:00-06:00" ends on the next day), "mon-fri", "sat". Without
  /// times the whole day counts, without days every day. A time range belongs to the day on which it begins.
  static Result<Hours> create(const std::vector<std::string>& entries, std::string_view zone);

  bool contains(int64_t seconds) const;  ///< since 1970
  /// Local time for people: "wed 03:20 Europe/Berlin".
  std::string localTime(int64_t seconds) const;
  /// "09:00-18:00, mon-fri Europe/Berlin", as written.
  const std::string& text() const { return text_; }

 private:
  explicit Hours(TimeZone zone) : zone_(std::move(zone)) {}
  Status add(std::string_view entry);
  struct Local {
    int64_t day;  // since 1970
    int minute;   // of the day
  };
  Local localAt(int64_t seconds) const;
  static unsigned weekdayOf(int64_t day);
  struct Range {
    int begin;  // minutes of the day
    int end;    // not after begin: on the next day
  };
  TimeZone zone_;
  std::string zone_name_;
  std::string text_;
  std::vector<Range> ranges_;  // none: the whole day
  uint32_t days_ = 0;          // bit 0 is Monday; 0: every day
};

}  // namespace yett::rule
