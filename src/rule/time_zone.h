// A time zone of the system's database (TZif, RFC 8536), by its IANA name. The only file that uses a library for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace yett::rule {

/// Immutable; any thread. Copies share the zone.
class TimeZone {
 public:
  /// "Europe/Berlin" or "UTC". The database is in /usr/share/zoneinfo, or where TZDIR says. A zone is read once in the
  /// life of the program: an update of the database needs a restart.
  static Result<TimeZone> load(std::string_view name);
  /// Local time minus UTC, in seconds, at `seconds` since 1970. Daylight saving time included.
  int32_t offset(int64_t seconds) const;

 private:
  struct Zone;
  explicit TimeZone(std::shared_ptr<const Zone> zone) : zone_(std::move(zone)) {}
  std::shared_ptr<const Zone> zone_;
};

}  // namespace yett::rule
