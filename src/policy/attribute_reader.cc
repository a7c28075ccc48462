#include "policy/attribute_reader.h"

#include <algorithm>

#include "base/text.h"
#include "target/query.h"

namespace yett::policy {
namespace {

using State = AttrValue::State;
using Type = AttrValue::Type;

constexpr int kDeepestBody = 32;
constexpr ptrdiff_t kMostBodyValues = 20'000;

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

constexpr std::string_view kNames[] = {
    "method",         "scheme",         "host",      "path",        "raw_path",       "protocol",
    "query",          "header",         "headers",   "params",      "principal.id",   "principal.trust_domain",
    "principal.path", "principal.kind", "source.ip", "source.port", "destination.ip", "destination.port",
    "tls.version",    "tls.cipher",     "tls.sni",   "time",        "grpc.service",   "grpc.method",
    "body.complete",  "body.size",      "body.json"};
static_assert(std::size(kNames) == static_cast<size_t>(kLastAttr) + 1);

}  // namespace

std::string_view name(Attr attr) {
  return kNames[static_cast<size_t>(attr)];
}

bool keyed(Attr attr) {
  return attr == Attr::kQuery || attr == Attr::kHeader || attr == Attr::kHeaderList || attr == Attr::kParam;
}

bool isSecret(Attr attr, std::string_view key) {
  if (attr == Attr::kBodyJson) return true;
  if (attr != Attr::kHeader && attr != Attr::kHeaderList && attr != Attr::kQuery) return false;
  std::string name(key);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  for (const char* part : {"auth", "cookie", "token", "secret", "passw", "session", "api-key", "apikey", "api_key",
                           "signature", "credential", "code", "assertion"}) {
    if (name.find(part) != std::string::npos) return true;
  }
  return name == "key" || name == "sig" || name == "pwd";
}

void AttributeReader::reset(const CheckRequest& request) {
  request_ = &request;
  pattern_ = nullptr;
  reads_.clear();
  keys_.clear();
  window_.clear();
  window_number_ = 0;
  refused_reads_ = 0;
  steps_left_ = kMostSteps;
  if (body_parsed_) body_ = {};
  query_parsed_ = query_bad_ = body_parsed_ = body_known_ = false;
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
  for (size_t i = 0; i < reads_.size(); ++i) {
    Noted& noted = reads_[i];
    if (noted.attr != attr || keyOf(noted) != key) continue;
    if (noted.window != window_number_) {
      noted.window = window_number_;
      window_.push_back(static_cast<uint32_t>(i));
    }
    // A capture depends on the rule's pattern, so it is looked up afresh for each rule.
    if (attr == Attr::kParam) noted.value = find(attr, key);
    if (recorded_ != nullptr && noted.value.state == State::kRefused) noteUnknown(attr, key);
    return noted.value;
  }
  const AttrValue value = find(attr, key);
  if (recorded_ != nullptr && value.state == State::kRefused) noteUnknown(attr, key);
  if (!add(attr, key, value))
    return noteUnknown(attr, key), ++refused_reads_, refused("is one value too many: a decision reads 256 at most");
  return value;
}

bool AttributeReader::note(Attr attr, std::string_view key, const AttrValue& value) {
  for (size_t i = 0; i < reads_.size(); ++i) {
    if (reads_[i].attr == attr && keyOf(reads_[i]) == key) return true;
  }
  return add(attr, key, value);
}

bool AttributeReader::add(Attr attr, std::string_view key, const AttrValue& value) {
  if (reads_.size() >= kMostReads) return false;
  window_.push_back(static_cast<uint32_t>(reads_.size()));
  reads_.push_back(
      {attr, static_cast<uint32_t>(keys_.size()), static_cast<uint32_t>(key.size()), window_number_, value});
  keys_ += key;
  return true;
}

AttrValue AttributeReader::peek(Attr attr, std::string_view key) {
  return find(attr, key);
}

void AttributeReader::parseQueryOnce() {
  if (query_parsed_) return;
  query_parsed_ = true;
  query_bad_ = !target::parseQuery(request_->query, query_kept_, query_).ok();
}

AttrValue AttributeReader::findQuery(std::string_view key) {
  parseQueryOnce();
  if (query_bad_) return error("the query cannot be decoded");
  const std::string_view* found = nullptr;
  for (const auto& [name, value] : query_) {
    if (name != key) continue;
    if (found != nullptr) return error("was sent more than once");
    found = &value;
  }
  return found != nullptr ? present(*found) : AttrValue{};
}

bool AttributeReader::peekQuery(std::string_view key, std::vector<std::string_view>& out) {
  if (recorded_ != nullptr && !recorded_->query_known) {
    out.clear();
    const auto* value = recorded_->find(Attr::kQuery, key);
    if (value != nullptr && value->state == RecordedValue::State::kText) out.push_back(value->text);
    return value != nullptr;
  }
  parseQueryOnce();
  out.clear();
  for (const auto& [name, value] : query_) {
    if (name == key) out.push_back(value);
  }
  return !query_bad_;
}

// application/grpc, application/grpc+proto, application/grpc; x=y
static bool isGrpcType(std::string_view type) {
  constexpr std::string_view kGrpc = "application/grpc";
  return type.starts_with(kGrpc) &&
         (type.size() == kGrpc.size() || type[kGrpc.size()] == '+' || type[kGrpc.size()] == ';');
}

// Of a request that says it is gRPC: POST, application/grpc, /service/method.
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

// A message up to where it begins to quote the body.
static std::string unquoted(const std::string& message) {
  std::string out = message.substr(0, message.find_first_of("'\"`"));
  while (out.ends_with(' ') || out.ends_with(':')) out.pop_back();
  return out;
}

AttrValue AttributeReader::findBody() {
  const Body* body = request_->body;
  if (body == nullptr || !body->complete || body->bytes.empty()) return {};
  if (!body_parsed_) {
    body_parsed_ = true;
    body_error_.clear();
    // Each value takes many times what its text takes.
    const auto values =
        std::count_if(body->bytes.begin(), body->bytes.end(), [](char c) { return c == ',' || c == '[' || c == '{'; });
    if (values > kMostBodyValues) body_error_ = "cannot be taken: over 20000 values";
  }
  if (body_parsed_ && body_error_.empty() && !body_known_) {
    body_known_ = true;
    auto parsed = json::parse(body->bytes, false, kDeepestBody);
    if (parsed && parsed.value().type == json::Value::Type::kNull) body_error_ = "is null, which is no value";
    else if (parsed) body_ = std::move(parsed).value();
    else body_error_ = "cannot be taken: " + unquoted(parsed.error().message);
  }
  if (!body_error_.empty()) return error(body_error_);
  return {State::kPresent, Type::kJson, body->bytes, 0};
}

AttrValue AttributeReader::find(Attr attr, std::string_view key) {
  return recorded_ == nullptr ? findSent(attr, key) : findRecorded(attr, key);
}

AttrValue AttributeReader::findSent(Attr attr, std::string_view key) {
  const CheckRequest& r = *request_;
  switch (attr) {
    case Attr::kMethod: return present(r.method);
    case Attr::kScheme: return present(r.scheme);
    case Attr::kHost: return presentIf(r.host);
    case Attr::kPath: return present(r.path);
    case Attr::kRawPath: return present(r.raw_path);
    case Attr::kProtocol: return present(r.protocol);
    case Attr::kQuery: return findQuery(key);
    case Attr::kHeader: {
      const Header* found = nullptr;
      for (const auto& field : r.headers) {
        if (field.name != key) continue;
        if (found != nullptr) return error("was sent more than once: take `r:headers(name)`");
        found = &field;
      }
      return found == nullptr ? AttrValue{} : present(found->value);
    }
    case Attr::kHeaderList: return number(static_cast<int64_t>(peekList(key).size()));
    case Attr::kParam: {
      std::string_view value;
      return pattern_ != nullptr && pattern_->capture(r.path, key, value) ? present(value) : AttrValue{};
    }
    case Attr::kPrincipalId: return presentIf(r.principal->id);
    case Attr::kPrincipalTrustDomain: return presentIf(r.principal->trust_domain);
    case Attr::kPrincipalPath: return presentIf(r.principal->path);
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

std::string AttributeReader::listJson(std::string_view header, const Recording& recording, bool masked) const {
  std::string out = "[";
  for (const auto& field : request_->headers) {
    if (field.name != header) continue;
    if (out.size() > 1) out += ',';
    if (masked) out += recording.masked(field.value);
    else if (!json::isUtf8(field.value)) out += "{\"hex\":\"" + base::hex(field.value) + "\"}";
    else json::appendQuoted(out, field.value);
  }
  return out + "]";
}

static void appendScalar(std::string& out, const json::Value& value) {
  switch (value.type) {
    case json::Value::Type::kNull: out += "null"; break;
    case json::Value::Type::kBool: out += value.boolean ? "true" : "false"; break;
    case json::Value::Type::kInt: out += std::to_string(value.integer); break;
    case json::Value::Type::kString: json::appendQuoted(out, value.text); break;
    default: out += "{\"" + std::string(value.typeName()) + "\":true}"; break;
  }
}

// A body is never written down, but for the places that the configuration names.
std::string AttributeReader::bodyJson(const AttrValue& value, const Recording& recording) {
  std::string out = "{\"bytes\":" + std::to_string(value.text.size());
  for (const auto& pointer : recording.config().body) {
    const json::Value* found = atPointer(body_, pointer);
    out += ',';
    json::appendQuoted(out, pointer);
    out += ':';
    if (found == nullptr) {
      out += "null";
    } else if (!recording.masksBody(pointer)) {
      appendScalar(out, *found);
    } else {
      std::string text;
      appendScalar(text, *found);
      out += recording.masked(found->type == json::Value::Type::kString ? std::string_view(found->text) : text);
    }
  }
  return out + "}";
}

void AttributeReader::writeValue(json::ObjectWriter& writer, const std::string& what, Attr attr, std::string_view key,
                                 const AttrValue& value, const Recording& recording) {
  const bool masked = recording.masks(attr, key);
  std::string kept;
  if (attr == Attr::kRawPath) return void(writer.field(what, recording.target(value.text, kept)));
  if (value.state == State::kAbsent) writer.raw(what, "null");
  else if (attr == Attr::kHeaderList) writer.raw(what, listJson(key, recording, masked));
  else if (value.state == State::kError) writer.raw(what, "{\"error\":true}");
  else if (value.type == Type::kJson) writer.raw(what, bodyJson(value, recording));
  else if (value.type == Type::kText && masked) writer.raw(what, recording.masked(value.text));
  else if (value.type == Type::kText && json::isUtf8(value.text)) writer.field(what, value.text);
  else if (value.type == Type::kText) writer.raw(what, "{\"hex\":\"" + base::hex(value.text) + "\"}");
  else if (value.type == Type::kFlag) writer.flag(what, value.number != 0);
  else if (masked) writer.raw(what, recording.masked(std::to_string(value.number)));
  else writer.field(what, value.number);
}

// Texts that policy made may quote what it read.
void AttributeReader::redact(std::string& text, const Recording& recording) const {
  constexpr size_t kLeast = 3;  // shorter ones stand anywhere
  if (text.empty()) return;
  const auto hide = [&](std::string_view value) {
    if (value.size() < kLeast) return;
    for (size_t at = text.find(value); at != std::string::npos; at = text.find(value, at + 8))
      text.replace(at, value.size(), "(masked)");
  };
  for (const auto& read : reads_) {
    if (!recording.masks(read.attr, keyOf(read))) continue;
    if (read.attr == Attr::kHeaderList) {
      for (const auto& field : request_->headers) {
        if (field.name == keyOf(read)) hide(field.value);
      }
    } else if (read.value.type == Type::kText && read.value.state == State::kPresent) {
      hide(read.value.text);
    }
  }
  if (!request_->query.empty() && !recording.config().plain_query) hide(request_->query);
}

void AttributeReader::readsJson(const Recording& recording, std::string& out) {
  const auto& headers = recording.config().headers;
  out.clear();
  if (reads_.empty() && headers.empty()) return;
  json::ObjectWriter writer(out);
  std::string what;
  for (const auto& read : reads_) {
    what = name(read.attr);
    if (keyed(read.attr)) what.append(".").append(keyOf(read));
    writeValue(writer, what, read.attr, keyOf(read), read.value, recording);
  }
  for (const auto& header : headers) {
    const bool there = std::any_of(reads_.begin(), reads_.end(), [&](const Noted& read) {
      return (read.attr == Attr::kHeader || read.attr == Attr::kHeaderList) && keyOf(read) == header;
    });
    if (there) continue;
    const auto count = peekList(header).size();
    const Attr attr = count > 1 ? Attr::kHeaderList : Attr::kHeader;
    writeValue(writer, std::string(name(attr)) + "." + header, attr, header, peek(attr, header), recording);
  }
  writer.end();
}

}  // namespace yett::policy
