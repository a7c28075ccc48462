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
    const bool grpc = value.attr == policy::Attr::kGrpcService || value.attr == policy::Attr::kGrpcMethod;
    if (grpc) return header == "content-type";  // which makes a request gRPC
    return value.key == header && (value.attr == policy::Attr::kHeader || value.attr == policy::Attr::kHeaderList);
  });
}

// A header that was absent may have been removed for the policy.
static void forgetAbsentHeaders(policy::Recorded& recorded) {
  std::erase_if(recorded.values, [](const policy::RecordedValue& value) {
    using Attr = policy::Attr;
    using State = policy::RecordedValue::State;
    const bool of_headers = value.attr == Attr::kHeader || value.attr == Attr::kHeaderList ||
                            value.attr == Attr::kGrpcService || value.attr == Attr::kGrpcMethod;
    return of_headers && (value.state == State::kAbsent || (value.state == State::kList && value.list.empty()));
  });
}

RecordedRequest::Taken RecordedRequest::refuse(Taken how, std::string_view why) {
  why_ = why;
  return how;
}

void RecordedRequest::forgetOwned(std::span<const std::string> owned, Owned owned_then) {
  if (owned_then == nullptr) forgetAbsentHeaders(recorded_);
  else
    for (const auto& name : *owned_then) forget(recorded_, name);
  for (const auto& name : owned) {
    forget(recorded_, name);
    policy::RecordedValue absent{};
    absent.attr = policy::Attr::kHeader;
    absent.key = name;
    recorded_.values.push_back(std::move(absent));
  }
}

RecordedRequest::Taken RecordedRequest::take(const audit::Row& row, std::span<const std::string> owned,
                                             Owned owned_then) {
  if (row.policy.empty() && row.rule == "identity")
    return refuse(Taken::kNotAsked, "the caller's certificate decided, not policy");
  if (row.policy.empty() && row.rule == "authentication")
    return refuse(Taken::kNotAsked, "the caller's token decided, not policy");
  if (row.erased) return refuse(Taken::kUnknown, "the personal fields (erased)");
  if (isMasked(row.principal)) return refuse(Taken::kUnknown, "principal.id (masked)");
  if (isMasked(row.path)) return refuse(Taken::kUnknown, "path (masked, or too long to be kept)");
  if (isMasked(row.host)) return refuse(Taken::kUnknown, "host (masked, or too long to be kept)");
  if (isMasked(row.source)) return refuse(Taken::kUnknown, "source.ip (masked)");
  row_ = row;
  recorded_.values.clear();
  if (!policy::parseReads(row_.reads, recorded_)) return refuse(Taken::kUnknown, "what was read (it is not JSON)");
  forgetOwned(owned, owned_then);
  if (principal_.id != row_.principal || principal_.anonymous() != row_.principal.empty()) {
    auto principal = principalOf(row_.principal);
    if (!principal) return refuse(Taken::kUnknown, "principal.id (it is not a SPIFFE ID)");
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
    if (!source) return refuse(Taken::kUnknown, "source.ip (it is not an address)");
    head.source = source.value();
  }
  const auto mark = row_.raw_target.find('?');
  const std::string_view query =
      mark == std::string::npos ? std::string_view() : std::string_view(row_.raw_target).substr(mark + 1);
  // Single pairs of an unmasked query may have been masked.
  recorded_.query_known = query.find('{') == std::string_view::npos;
  if (recorded_.query_known) head.query = query;
  check_ = request::question(head);
  return Taken::kYes;
}

}  // namespace yett::runtime
