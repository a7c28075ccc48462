// AttributeReader for what a trusted forwarder says of the callers in front of it.
#include "policy/attribute_reader.h"

namespace yett::policy {

using State = AttrValue::State;
using Type = AttrValue::Type;
using Recall = RecordedValue::State;

AttrValue AttributeReader::findForwarded(Attr attr) {
  const Forwarded* forwarded = request_->forwarded;
  if (forwarded == nullptr && attr == Attr::kClientIp) return find(Attr::kSourceIp, {});
  if (forwarded == nullptr) return {State::kPresent, Type::kNumber, {}, 0};
  const std::string& problem = attr == Attr::kVia ? forwarded->via_error : forwarded->ip_error;
  if (!problem.empty()) return {State::kError, Type::kText, problem, 0};
  if (attr == Attr::kClientIp && forwarded->client_ip.empty()) return {};  // over a Unix socket
  if (attr == Attr::kClientIp) return {State::kPresent, Type::kText, forwarded->client_ip, 0};
  return {State::kPresent, Type::kNumber, {}, static_cast<int64_t>(forwarded->via.size())};
}

// A record has them wherever there are trusted forwarders and the caller might be one. Without a certificate nobody is.
AttrValue AttributeReader::recordedForwarded(Attr attr) {
  const auto* value = recorded_->find(attr, {});
  if (value == nullptr && request_->principal->anonymous()) return findForwarded(attr);
  if (value == nullptr) return {State::kRefused, Type::kText, "was not recorded", 0};
  if (value->state == Recall::kAbsent) return {};
  if (value->state == Recall::kError) return {State::kError, Type::kText, "could not be read as one value", 0};
  if (value->state == Recall::kText) return {State::kPresent, Type::kText, value->text, 0};
  if (value->state != Recall::kList) return {State::kRefused, Type::kText, "was not recorded", 0};
  return {State::kPresent, Type::kNumber, {}, static_cast<int64_t>(value->list.size())};
}

const std::vector<std::string_view>& AttributeReader::peekVia() {
  list_.clear();
  if (recorded_ != nullptr) {
    const auto* value = recorded_->find(Attr::kVia, {});
    if (value != nullptr) list_.assign(value->list.begin(), value->list.end());
  } else if (request_->forwarded != nullptr) {
    list_.assign(request_->forwarded->via.begin(), request_->forwarded->via.end());
  }
  return list_;
}

const Node& AttributeReader::viaJson() {
  via_nodes_.clear();
  for (const auto id : peekVia()) {
    Node& node = via_nodes_.emplace_back();
    node.kind = Node::Kind::kString;
    node.size = static_cast<uint32_t>(id.size());
    node.text = id.data();
  }
  via_ = {};
  via_.kind = Node::Kind::kList;
  via_.size = static_cast<uint32_t>(via_nodes_.size());
  via_.items = via_nodes_.data();
  return via_;
}

}  // namespace yett::policy
