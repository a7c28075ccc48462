#include "runtime/recorded_request.h"

#include <algorithm>

#include "policy/attribute_reader.h"
#include "request/question.h"
#include "runtime/check_input.h"
#include "target/cidr.h"

namespace yett::runtime {

static bool isMasked(std::string_view text) {
  return text.starts_with('{');
}

static void forget(policy::Recorded& recorded, const std::string& header) {
  std::erase_if(recorded.values, [&](const auto& value) {
    return value.key == header && (value.attr == policy::Attr::kHeader || value.attr == policy::Attr::kHeaderList);
  });
}

std::string_view RecordedRequest::take(const audit::Row& row, std::span<const std::string> owned,
                                       std::span<const std::string> owned_then) {
  if (row.erased) return "its personal fields were erased";
  if (row.policy.empty() && row.rule == "identity") return "the caller's certificate decided, no policy";
  if (isMasked(row.principal) || isMasked(row.path) || isMasked(row.host) || isMasked(row.source))
    return "its caller, host, path or source is masked, or was too long to be kept";
  row_ = row;
  recorded_.values.clear();
  if (!policy::parseReads(row_.reads, recorded_)) return "what was read cannot be read back";
  for (const auto& name : owned_then) forget(recorded_, name);
  for (const auto& name : owned) {
    forget(recorded_, name);
    policy::RecordedValue absent{};
    absent.attr = policy::Attr::kHeader;
    absent.key = name;
    recorded_.values.push_back(std::move(absent));
  }
  if (principal_.id != row_.principal || principal_.anonymous() != row_.principal.empty()) {
    auto principal = principalOf(row_.principal);
    if (!principal) return "its caller is no SPIFFE ID";
    principal_ = std::move(principal).value();
  }
  request::RecordedHead head;
  head.listener = row_.listener;
  head.method = row_.method;
  head.host = row_.host;
  head.path = row_.path;
  head.raw_path = row_.raw_target;
  head.protocol = row_.protocol;
  head.principal = &principal_;
  head.time_seconds = row_.time / 1'000'000;
  if (!row_.source.empty()) {
    auto source = target::IpAddress::parse(row_.source);
    if (!source) return "its source is no address";
    head.source = source.value();
  }
  const auto mark = row_.raw_target.find('?');
  const std::string_view query =
      mark == std::string::npos ? std::string_view() : std::string_view(row_.raw_target).substr(mark + 1);
  // Each pair of a query in clear may have been masked for itself.
  recorded_.query_known = query.find('{') == std::string_view::npos;
  if (recorded_.query_known) head.query = query;
  check_ = request::question(head);
  return "";
}

}  // namespace yett::runtime
