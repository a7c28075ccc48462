#include "rule/time_zone.h"

#include <absl/time/time.h>

#include <algorithm>
#include <string>

#include "base/text.h"

namespace yett::rule {
namespace {

// A name of the database, and no other path: the library would open any.
bool isZoneName(std::string_view name) {
  const auto known = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '+' || c == '/';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '/' && std::all_of(name.begin(), name.end(), known);
}

}  // namespace

struct TimeZone::Zone {
  absl::TimeZone zone;
};

Result<TimeZone> TimeZone::load(std::string_view name) {
  auto zone = std::make_shared<Zone>();
  if (!isZoneName(name) || name == "localtime" || name == "posixrules" || name.starts_with("right/") ||
      name.starts_with("posix/") || !absl::LoadTimeZone(std::string(name), &zone->zone))
    return Error{"names the time zone `" + base::printable(name.substr(0, 100)) +
                 "`, which the system does not know: write an IANA name such as `Europe/Berlin`, or `UTC` (the package "
                 "tzdata has the names)"};
  return TimeZone(std::move(zone));
}

int32_t TimeZone::offset(int64_t seconds) const {
  return zone_->zone.At(absl::FromUnixSeconds(seconds)).offset;
}

}  // namespace yett::rule
