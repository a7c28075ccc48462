// AttributeReader for a recorded request: what the record does not contain is unknown.
#include "policy/attribute_reader.h"

namespace yett::policy {
namespace {

using State = AttrValue::State;
using Type = AttrValue::Type;
using Recall = RecordedValue::State;

AttrValue unknown() {
  return {State::kRefused, Type::kText, "was not recorded", 0};
}

AttrValue asRead(const RecordedValue& value) {
  switch (value.state) {
    case Recall::kText: return {State::kPresent, Type::kText, value.text, 0};
    case Recall::kNumber: return {State::kPresent, Type::kNumber, {}, value.number};
    case Recall::kFlag: return {State::kPresent, Type::kFlag, {}, value.number};
    case Recall::kAbsent: return {};
    case Recall::kError: return {State::kError, Type::kText, "could not be read as one value", 0};
    case Recall::kMasked:
    case Recall::kJson:
    case Recall::kList: break;
  }
  return unknown();
}

}  // namespace

void AttributeReader::noteUnknown(Attr attr, std::string_view key) {
  if (recorded_ == nullptr || ++unknown_reads_ > 1) return;
  first_unknown_ = name(attr == Attr::kHeaderList ? Attr::kHeader : attr);
  if (keyed(attr)) first_unknown_.append(".").append(key);
}

// Reads a header from either recorded form: single value or list.
AttrValue AttributeReader::recordedHeader(std::string_view key) {
  const auto* one = recorded_->find(Attr::kHeader, key);
  const auto* all = recorded_->find(Attr::kHeaderList, key);
  if (one != nullptr && one->state != Recall::kError) return asRead(*one);
  if (one != nullptr && (all == nullptr || all->state != Recall::kList)) return asRead(*one);
  if (all != nullptr && all->state == Recall::kError) return asRead(*all);
  if (all == nullptr || all->state != Recall::kList) return unknown();
  if (all->list.empty()) return {};
  if (all->list.size() == 1) return {State::kPresent, Type::kText, all->list.front(), 0};
  return {State::kError, Type::kText, "was sent more than once: use `r:headers(name)`", 0};
}

// gRPC is always a POST to /service/method; the content type says whether such a POST is gRPC.
AttrValue AttributeReader::recordedGrpc(Attr attr) {
  if (const auto* value = recorded_->find(attr, {})) return asRead(*value);
  const std::string_view path = request_->path;
  const auto slash = path.find('/', 1);
  if (request_->method != "POST" || slash == std::string_view::npos || slash == 1 || slash + 1 == path.size() ||
      path.find('/', slash + 1) != std::string_view::npos)
    return {};
  const AttrValue type = recordedHeader("content-type");
  if (type.state == State::kRefused || type.state == State::kError) return unknown();
  return findGrpc(attr == Attr::kGrpcMethod);
}

AttrValue AttributeReader::findRecorded(Attr attr, std::string_view key) {
  switch (attr) {
    // The record itself contains these.
    case Attr::kMethod:
    case Attr::kHost:
    case Attr::kPath:
    case Attr::kProtocol:
    case Attr::kParam:
    case Attr::kPrincipalId:
    case Attr::kPrincipalTrustDomain:
    case Attr::kPrincipalPath:
    case Attr::kSourceIp:
    case Attr::kTime: return findSent(attr, key);
    case Attr::kPrincipalKind: {
      const auto* kind = recorded_->find(attr, {});
      return kind != nullptr ? asRead(*kind) : findSent(attr, key);
    }
    case Attr::kRawPath: return recorded_->query_known ? findSent(attr, key) : unknown();
    case Attr::kQuery:
      if (recorded_->query_known) return findSent(attr, key);
      break;
    case Attr::kQueryList: {
      if (recorded_->query_known) return findSent(attr, key);
      const auto* all = recorded_->find(attr, key);
      if (all != nullptr && all->state == Recall::kError) return asRead(*all);
      if (all == nullptr || all->state != Recall::kList) return unknown();
      return {State::kPresent, Type::kNumber, {}, static_cast<int64_t>(all->list.size())};
    }
    case Attr::kHeader: return recordedHeader(key);
    case Attr::kHeaderList: {
      const AttrValue one = recordedHeader(key);
      if (one.state == State::kRefused) return one;
      return {State::kPresent, Type::kNumber, {}, static_cast<int64_t>(peekList(key).size())};
    }
    case Attr::kJwt: return recordedJwt(key);
    case Attr::kVia:
    case Attr::kClientIp: return recordedForwarded(attr);
    case Attr::kGrpcService:
    case Attr::kGrpcMethod: return recordedGrpc(attr);
    default: break;
  }
  const auto* value = recorded_->find(attr, key);
  return value != nullptr && attr != Attr::kBodyJson ? asRead(*value) : unknown();
}

}  // namespace yett::policy
