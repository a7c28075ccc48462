#include "policy/attribute_reader.h"

#include <algorithm>

#include "policy/grpc.h"

namespace yett::policy {
namespace {

using State = AttrValue::State;
using Type = AttrValue::Type;

AttrValue present(std::string_view text) {
  return {State::kPresent, Type::kText, text, 0};
}
AttrValue presentIf(std::string_view text) {
  return text.empty() ? AttrValue{} : present(text);
}
AttrValue number(int64_t n) {
  return {State::kPresent, Type::kNumber, {}, n};
}
AttrValue flag(bool on) {
  return {State::kPresent, Type::kFlag, {}, on ? 1 : 0};
}
AttrValue error(std::string_view why) {
  return {State::kError, Type::kText, why, 0};
}
AttrValue refused(std::string_view why) {
  return {State::kRefused, Type::kText, why, 0};
}

constexpr std::string_view kOtherSpelling = "was sent in another spelling, which some services treat as the same name";

constexpr std::string_view kAwaited = "is not here yet";

constexpr std::string_view kOneTooMany = "is one value too many: a decision may read at most 256";

// Header names are the same if they differ only in characters other than letters and digits.
bool sameHeader(std::string_view a, std::string_view b) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return x == y || (!plain(x) && !plain(y)); });
}

}  // namespace

void AttributeReader::reset(const CheckRequest& request) {
  request_ = &request;
  pattern_ = nullptr;
  reads_.clear();
  keys_.clear();
  window_.clear();
  window_number_ = 0;
  refused_reads_ = 0;
  steps_left_ = kMaxSteps;
  if (body_parsed_) body_.clear();
  query_parsed_ = query_bad_ = query_anyhow_parsed_ = body_parsed_ = query_indexed_ = query_anyhow_indexed_ = false;
  params_.clear();
  if (!jwt_reads_.empty()) jwt_reads_.clear();
  source_ip_.clear();
  destination_ip_.clear();
  unknown_reads_ = 0;
  if (!first_unknown_.empty()) first_unknown_.clear();
}

void AttributeReader::beginWindow() {
  window_.clear();
  ++window_number_;
}

AttrValue AttributeReader::read(Attr attr, std::string_view key) {
  if (key.size() > kLongestKey) return ++refused_reads_, refused("has a name over 256 bytes");
  if (ofBody(attr) && recorded_ == nullptr && bodyAwaited()) return ++unknown_reads_, refused(kAwaited);
  for (size_t i = 0; i < reads_.size(); ++i) {
    Noted& noted = reads_[i];
    if (noted.attr != attr || keyOf(noted) != key) continue;
    if (noted.window != window_number_) {
      noted.window = window_number_;
      window_.push_back(static_cast<uint32_t>(i));
      // These reads may reallocate the list that contains `noted`.
      if (attr == Attr::kBodyJson && recorded_ == nullptr) {
        if (!noteBodyHeaders()) return ++refused_reads_, refused(kOneTooMany);
        return reads_[i].value;
      }
    }
    // A capture depends on the rule's pattern, so it is looked up again for each rule.
    if (attr == Attr::kParam) noted.value = find(attr, key);
    if (recorded_ != nullptr && noted.value.state == State::kRefused) noteUnknown(attr, key);
    return noted.value;
  }
  if (attr == Attr::kBodyJson && recorded_ == nullptr && !noteBodyHeaders()) return refused(kOneTooMany);
  const AttrValue value = find(attr, key);
  if (recorded_ != nullptr && value.state == State::kRefused) noteUnknown(attr, key);
  if (!add(attr, key, value)) return noteUnknown(attr, key), ++refused_reads_, refused(kOneTooMany);
  return value;
}

bool AttributeReader::note(Attr attr, std::string_view key, const AttrValue& value) {
  for (size_t i = 0; i < reads_.size(); ++i) {
    if (reads_[i].attr != attr || keyOf(reads_[i]) != key) continue;
    if (attr == Attr::kParam) reads_[i].value = value;  // as in read()
    return true;
  }
  return add(attr, key, value);
}

bool AttributeReader::add(Attr attr, std::string_view key, const AttrValue& value) {
  if (reads_.size() >= kMaxReads) return false;
  window_.push_back(static_cast<uint32_t>(reads_.size()));
  reads_.push_back(
      {attr, static_cast<uint32_t>(keys_.size()), static_cast<uint32_t>(key.size()), window_number_, value});
  if (!key.empty()) keys_ += key;
  return true;
}

AttrValue AttributeReader::peek(Attr attr, std::string_view key) {
  return find(attr, key);
}

// For a request that is declared as gRPC: POST, application/grpc, /service/method.
AttrValue AttributeReader::findGrpc(bool method) {
  const CheckRequest& r = *request_;
  const auto& types = peekList("content-type");
  if (r.method != "POST" || types.size() != 1 || !isGrpcType(types[0])) return {};
  const auto slash = r.path.find('/', 1);
  if (slash == std::string_view::npos || slash == 1 || slash + 1 == r.path.size() ||
      r.path.find('/', slash + 1) != std::string_view::npos)
    return {};
  return present(method ? r.path.substr(slash + 1) : r.path.substr(1, slash - 1));
}

AttrValue AttributeReader::find(Attr attr, std::string_view key) {
  return recorded_ == nullptr ? findSent(attr, key) : findRecorded(attr, key);
}

// A service that turns header names into variables (CGI, WSGI, Rack) treats `x_env` and `x!env` as `x-env`.
bool AttributeReader::spelledOtherwise(std::string_view header) const {
  return std::any_of(request_->headers.begin(), request_->headers.end(), [&](const Header& field) {
    return field.name.size() == header.size() && field.name != header && sameHeader(field.name, header);
  });
}

AttrValue AttributeReader::findHeader(std::string_view key) {
  const Header* found = nullptr;
  for (const auto& field : request_->headers) {
    if (field.name.size() != key.size()) continue;
    if (field.name != key) {
      if (sameHeader(field.name, key)) return error(kOtherSpelling);
      continue;
    }
    if (found != nullptr) return error("was sent more than once: use `r:headers(name)`");
    found = &field;
  }
  return found == nullptr ? AttrValue{} : present(found->value);
}

AttrValue AttributeReader::findSent(Attr attr, std::string_view key) {
  const CheckRequest& r = *request_;
  if (ofBody(attr) && bodyAwaited()) return refused(kAwaited);
  switch (attr) {
    case Attr::kMethod: return present(r.method);
    case Attr::kScheme: return present(r.scheme);
    case Attr::kHost: return presentIf(r.host);
    case Attr::kPath: return present(r.path);
    case Attr::kRawPath: return present(r.raw_path);
    case Attr::kProtocol: return present(r.protocol);
    case Attr::kQuery: return findQuery(key);
    case Attr::kQueryList: return findQueryList(key);
    case Attr::kHeader: return findHeader(key);
    case Attr::kHeaderList:
      if (spelledOtherwise(key)) return error(kOtherSpelling);
      return number(static_cast<int64_t>(peekList(key).size()));
    case Attr::kParam: return findParam(key);
    case Attr::kPrincipalId: return presentIf(r.principal->id);
    case Attr::kPrincipalTrustDomain:
      return presentIf(r.principal->hasSpiffeId() ? std::string_view(r.principal->trust_domain) : std::string_view());
    case Attr::kPrincipalPath:
      return presentIf(r.principal->hasSpiffeId() ? std::string_view(r.principal->path) : std::string_view());
    case Attr::kPrincipalKind: return present(r.principal->kindName());
    case Attr::kSourceIp:
      if (source_ip_.empty()) source_ip_ = r.source.text();
      return presentIf(source_ip_);
    case Attr::kSourcePort: return r.source.known() ? number(r.source_port) : AttrValue{};
    case Attr::kDestinationIp:
      if (destination_ip_.empty()) destination_ip_ = r.destination.text();
      return presentIf(destination_ip_);
    case Attr::kDestinationPort: return r.destination.known() ? number(r.destination_port) : AttrValue{};
    case Attr::kTlsVersion: return presentIf(r.tls_version);
    case Attr::kTlsCipher: return presentIf(r.tls_cipher);
    case Attr::kTlsSni: return presentIf(r.tls_sni);
    case Attr::kTime: return number(r.time_seconds);
    case Attr::kGrpcService: return findGrpc(false);
    case Attr::kGrpcMethod: return findGrpc(true);
    case Attr::kBodyComplete: return flag(r.body != nullptr && r.body->complete);
    case Attr::kBodySize:
      return r.body != nullptr && r.body->complete ? number(static_cast<int64_t>(r.body->bytes.size())) : AttrValue{};
    case Attr::kBodyJson: return findBody();
    case Attr::kJwt: return findJwt(key);
    case Attr::kVia:
    case Attr::kClientIp: return findForwarded(attr);
  }
  return {};
}

const std::vector<std::string_view>& AttributeReader::peekList(std::string_view header) {
  list_.clear();
  if (recorded_ != nullptr) {
    const auto* one = recorded_->find(Attr::kHeader, header);
    const auto* all = recorded_->find(Attr::kHeaderList, header);
    if (one != nullptr && one->state == RecordedValue::State::kText) list_.push_back(one->text);
    else if (all != nullptr) list_.assign(all->list.begin(), all->list.end());
    return list_;
  }
  for (const auto& field : request_->headers) {
    if (field.name == header) list_.push_back(field.value);
  }
  return list_;
}

const std::vector<std::string_view>& AttributeReader::readList(std::string_view header, AttrValue& value) {
  value = read(Attr::kHeaderList, header);
  return peekList(header);
}

}  // namespace yett::policy
