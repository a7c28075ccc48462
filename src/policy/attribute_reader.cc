#include "policy/attribute_reader.h"

#include "base/json.h"
#include "target/query.h"

namespace yett::policy {
namespace {

using State = AttrValue::State;

constexpr size_t kLongestKey = 256;
constexpr size_t kMostReads = 256;

AttrValue present(std::string_view text) {
  return {State::kPresent, text, 0, false};
}
AttrValue presentIf(std::string_view text) {
  return text.empty() ? AttrValue{} : present(text);
}
AttrValue number(int64_t n) {
  return {State::kPresent, {}, n, true};
}
AttrValue error(std::string_view why) {
  return {State::kError, why, 0, false};
}

bool keyed(Attr attr) {
  return attr == Attr::kQuery || attr == Attr::kHeader || attr == Attr::kHeaderList || attr == Attr::kParam;
}

}  // namespace

std::string_view name(Attr attr) {
  switch (attr) {
    case Attr::kMethod: return "method";
    case Attr::kScheme: return "scheme";
    case Attr::kHost: return "host";
    case Attr::kPath: return "path";
    case Attr::kRawPath: return "raw_path";
    case Attr::kProtocol: return "protocol";
    case Attr::kQuery: return "query";
    case Attr::kHeader: return "header";
    case Attr::kHeaderList: return "headers";
    case Attr::kParam: return "params";
    case Attr::kPrincipalId: return "principal.id";
    case Attr::kPrincipalTrustDomain: return "principal.trust_domain";
    case Attr::kPrincipalPath: return "principal.path";
    case Attr::kPrincipalKind: return "principal.kind";
    case Attr::kSourceIp: return "source.ip";
    case Attr::kSourcePort: return "source.port";
    case Attr::kDestinationIp: return "destination.ip";
    case Attr::kDestinationPort: return "destination.port";
    case Attr::kTlsVersion: return "tls.version";
    case Attr::kTlsCipher: return "tls.cipher";
    case Attr::kTlsSni: return "tls.sni";
    case Attr::kTime: return "time";
  }
  return "";
}

void AttributeReader::reset(const CheckRequest& request) {
  request_ = &request;
  pattern_ = nullptr;
  reads_.clear();
  query_parsed_ = query_bad_ = false;
}

AttrValue AttributeReader::read(Attr attr, std::string_view key) {
  if (key.size() > kLongestKey) return {State::kRefused, "has a name over 256 bytes", 0, false};
  for (const auto& read : reads_) {
    if (read.attr != attr || read.key != key) continue;
    // A capture depends on the rule's pattern, so it is looked up afresh for each rule.
    if (attr == Attr::kParam) return find(attr, key);
    return read.value;
  }
  if (reads_.size() >= kMostReads)
    return {State::kRefused, "is one value too many: a decision reads 256 at most", 0, false};
  const AttrValue value = find(attr, key);
  reads_.push_back({attr, std::string(key), value});
  return value;
}

AttrValue AttributeReader::findQuery(std::string_view key) {
  if (!query_parsed_) {
    query_parsed_ = true;
    auto parsed = target::parseQuery(request_->query);
    query_bad_ = !parsed.ok();
    if (parsed) query_ = std::move(parsed).value();
  }
  if (query_bad_) return error("the query cannot be decoded");
  const std::string* found = nullptr;
  for (const auto& [name, value] : query_) {
    if (name != key) continue;
    if (found != nullptr) return error("was sent more than once");
    found = &value;
  }
  return found != nullptr ? present(*found) : AttrValue{};
}

AttrValue AttributeReader::find(Attr attr, std::string_view key) {
  const CheckRequest& r = *request_;
  switch (attr) {
    case Attr::kMethod: return present(r.method);
    case Attr::kScheme: return present(r.scheme);
    case Attr::kHost: return present(r.host);
    case Attr::kPath: return present(r.path);
    case Attr::kRawPath: return present(r.raw_path);
    case Attr::kProtocol: return present(r.protocol);
    case Attr::kQuery: return findQuery(key);
    case Attr::kHeader: {
      const auto& all = readList(key);
      if (all.size() > 1) return error("was sent more than once: take `r:headers(name)`");
      return all.empty() ? AttrValue{} : present(all[0]);
    }
    case Attr::kHeaderList: return number(static_cast<int64_t>(readList(key).size()));
    case Attr::kParam: {
      std::string_view value;
      return pattern_ != nullptr && pattern_->capture(r.path, key, value) ? present(value) : AttrValue{};
    }
    case Attr::kPrincipalId: return presentIf(r.principal->id);
    case Attr::kPrincipalTrustDomain: return presentIf(r.principal->trust_domain);
    case Attr::kPrincipalPath: return presentIf(r.principal->path);
    case Attr::kPrincipalKind: return present(r.principal->kindName());
    case Attr::kSourceIp: return presentIf(source_ip_ = r.source.text());
    case Attr::kSourcePort: return r.source.known() ? number(r.source_port) : AttrValue{};
    case Attr::kDestinationIp: return presentIf(destination_ip_ = r.destination.text());
    case Attr::kDestinationPort: return r.destination.known() ? number(r.destination_port) : AttrValue{};
    case Attr::kTlsVersion: return presentIf(r.tls_version);
    case Attr::kTlsCipher: return presentIf(r.tls_cipher);
    case Attr::kTlsSni: return presentIf(r.tls_sni);
    case Attr::kTime: return number(r.time_seconds);
  }
  return {};
}

const std::vector<std::string_view>& AttributeReader::readList(std::string_view header) {
  list_.clear();
  for (const auto& field : request_->headers) {
    if (field.name == header) list_.push_back(field.value);
  }
  return list_;
}

std::string AttributeReader::readsJson() const {
  if (reads_.empty()) return {};
  std::string out;
  json::ObjectWriter writer(out);
  for (const auto& read : reads_) {
    std::string what(name(read.attr));
    if (keyed(read.attr)) what += "." + read.key;
    if (read.value.state == State::kAbsent) writer.raw(what, "null");
    else if (read.value.state == State::kError) writer.raw(what, "{\"error\":true}");
    else if (read.value.is_number) writer.field(what, read.value.number);
    else writer.field(what, read.value.text);
  }
  writer.end();
  return out;
}

}  // namespace yett::policy
