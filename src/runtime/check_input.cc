#include "runtime/check_input.h"

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"
#include "identity/principal_id.h"
#include "request/forwarded.h"
#include "request/headers.h"
#include "request/question.h"
#include "runtime/test_tokens.h"
#include "target/cidr.h"

namespace yett::runtime {
namespace {

using json::Value;

Error refused(const http::ParseError& error) {
  return Error{std::to_string(error.status) + ": " + error.why};
}

// A field of the JSON form that must be a string; `missing` if it is absent.
Result<std::string> textField(const Value& value, std::string_view name, std::string_view missing = "") {
  const Value* found = value.find(name);
  if (found == nullptr) return std::string(missing);
  if (found->type == Value::Type::kString) return found->text;
  return Error{"`" + std::string(name) + "` is " + found->typeName() + ", must be a string"};
}

Status addHeader(const std::string& name, const Value& value, std::string& message) {
  if (value.type == Value::Type::kArray) {
    for (const auto& item : value.items) TRY(addHeader(name, item, message));
    return {};
  }
  if (value.type != Value::Type::kString)
    return Error{"header `" + base::printable(name) + "`: must be a string or a list of strings"};
  for (const std::string_view part : {std::string_view(name), std::string_view(value.text)}) {
    if (part.find_first_of("\r\n") != std::string_view::npos)
      return Error{"header `" + base::printable(name) + "`: contains a line break"};
  }
  message += name + ": " + value.text + "\r\n";
  return {};
}

// The request line and headers that the JSON form describes.
Result<std::string> messageOf(const Value& value) {
  const std::string method = TRY(textField(value, "method", "GET"));
  const std::string path = TRY(textField(value, "path", "/"));
  const std::string host = TRY(textField(value, "host", "localhost"));
  const std::string body = TRY(textField(value, "body"));
  for (const auto& part : {method, path, host}) {
    if (part.find_first_of(" \r\n") != std::string::npos)
      return Error{"`" + base::printable(part) + "`: method, path and host must not contain spaces or line breaks"};
  }
  std::string out = method + " " + path + " HTTP/1.1\r\nhost: " + host + "\r\n";
  if (const Value* headers = value.find("headers")) {
    if (headers->type != Value::Type::kObject)
      return Error{"`headers` is " + std::string(headers->typeName()) + ", must be an object"};
    for (const auto& [name, item] : headers->fields) TRY(addHeader(name, item, out));
  }
  if (value.find("body") != nullptr) out += "content-length: " + std::to_string(body.size()) + "\r\n";
  return out + "\r\n" + body;
}

}  // namespace

Result<identity::Principal> principalOf(const std::string& id) {
  return id.empty() ? identity::Principal() : identity::principalWithId(id);
}

namespace {

constexpr std::string_view kCallerFields[] = {"principal", "source",   "time",      "destination", "sni",
                                              "scheme",    "protocol", "forwarder", "jwt"};

// "10.0.0.1", "10.0.0.1:80", "2001:db8::1", "[2001:db8::1]:80"
Status readEndpoint(std::string_view name, std::string_view text, target::IpAddress& address, uint16_t& port) {
  const auto fail = [&] {
    return Error{"`" + std::string(name) + "` is `" + base::printable(text) + "`, must be an address or address:port"};
  };
  std::string_view host = text;
  const auto colon = text.rfind(':');
  const bool bracket = text.starts_with('[');
  if (colon != std::string_view::npos && (bracket || text.find(':') == colon)) {
    uint64_t number = 0;
    if (!base::parseUnsigned(text.substr(colon + 1), number) || number > 65'535) return fail();
    port = static_cast<uint16_t>(number);
    host = text.substr(0, colon);
  }
  if (bracket) {
    if (!host.ends_with(']')) return fail();
    host = host.substr(1, host.size() - 2);
  }
  auto parsed = target::IpAddress::parse(host);
  if (!parsed) return fail();
  address = parsed.value();
  return {};
}

}  // namespace

bool isCallerField(std::string_view name) {
  return std::find(std::begin(kCallerFields), std::end(kCallerFields), name) != std::end(kCallerFields);
}

// Whether the caller is one, or all that a listener trusts.
static Status readForwarder(const Value& value, Caller& caller) {
  const bool list = value.type == Value::Type::kArray;
  const bool texts = std::all_of(value.items.begin(), value.items.end(),
                                 [](const Value& item) { return item.type == Value::Type::kString; });
  if (value.type != Value::Type::kBool && (!list || !texts))
    return Error{"`forwarder` is " + std::string(value.typeName()) +
                 ", must be true, false, or a list of the SPIFFE IDs in `trusted_forwarders`"};
  caller.forwarder = value.boolean;
  for (const auto& item : value.items) {
    caller.forwarders.push_back(item.text);
    caller.forwarder = caller.forwarder || item.text == caller.principal;
  }
  return {};
}

Result<Caller> callerOf(const Value& value) {
  Caller caller;
  caller.principal = TRY(textField(value, "principal"));
  caller.source = TRY(textField(value, "source", caller.source));
  caller.destination = TRY(textField(value, "destination"));
  caller.sni = TRY(textField(value, "sni"));
  caller.scheme = TRY(textField(value, "scheme", caller.scheme));
  caller.protocol = TRY(textField(value, "protocol", caller.protocol));
  if (const Value* forwarder = value.find("forwarder")) {
    TRY(readForwarder(*forwarder, caller));
  }
  if (const Value* time = value.find("time")) {
    if (time->type != Value::Type::kInt)
      return Error{"`time` is " + std::string(time->typeName()) + ", must be whole seconds since 1970"};
    caller.time_seconds = time->integer;
  }
  const int64_t now = caller.time_seconds != 0 ? caller.time_seconds : base::wallMicros() / 1'000'000;
  if (const Value* jwt = value.find("jwt")) caller.tokens = TRY(testTokens(*jwt, now));
  return caller;
}

Result<std::unique_ptr<CheckInput>> CheckInput::fromHttp(std::string_view message, const Caller& caller,
                                                         std::span<const std::string> owned) {
  std::unique_ptr<CheckInput> out(new CheckInput);
  TRY(out->take(message, caller, owned));
  return out;
}

Result<std::unique_ptr<CheckInput>> CheckInput::fromJson(const Value& value, std::span<const std::string> owned) {
  std::vector<std::string_view> known = {"method", "path", "host", "headers", "body"};
  known.insert(known.end(), std::begin(kCallerFields), std::end(kCallerFields));
  if (value.type != Value::Type::kObject)
    return Error{"a check request is " + std::string(value.typeName()) + ", must be an object"};
  for (const auto& [name, field] : value.fields) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Error{"unknown field `" + base::printable(name) + "`" + base::didYouMean(name, known)};
  }
  const Caller caller = TRY(callerOf(value));
  return fromHttp(TRY(messageOf(value)), caller, owned);
}

Status CheckInput::take(std::string_view message, const Caller& caller, std::span<const std::string> owned) {
  const http::Limits limits;
  bool bare_lf = false;
  const size_t end = http::findHeadEnd(message, 0, bare_lf);
  if (bare_lf) return Error{"400: a line ends without CR: write \\r\\n"};
  if (end == 0) return Error{"400: the head does not end: it needs an empty line (\\r\\n\\r\\n)"};
  if (auto error = http::parseRequest(message.substr(0, end), limits, head_)) return refused(error);
  std::string_view rest = message.substr(end);
  http::H1BodyReader reader(false);
  reader.start(head_);
  for (bool more = head_.framing != http::Framing::kNone; more;) {
    std::string_view data;
    switch (reader.next(rest, limits, head_, data)) {
      case http::H1BodyReader::State::kData: body_bytes_ += data; break;
      case http::H1BodyReader::State::kDone: more = false; break;
      case http::H1BodyReader::State::kMore: return Error{"400: the body is not complete"};
      case http::H1BodyReader::State::kBad: return refused(reader.error());
    }
  }
  if (!rest.empty()) return Error{"there are bytes after the end of the request: is content-length missing?"};
  request::dropUntrusted(head_, {.forwarder = caller.forwarder}, owned);
  if (caller.forwarder) {
    std::vector<std::string> trusted = caller.forwarders;
    trusted.push_back(caller.principal);
    forwarded_ = request::readForwarded(head_.headers, trusted);
  }
  request::visibleHeaders(head_.headers, headers_);
  body_ = {true, body_bytes_};
  caller_ = caller;
  TRY(arrive(caller_));
  if (!caller.forwarder) forwarded_.client_ip = arrival_.source.text();
  const int64_t time = caller.time_seconds != 0 ? caller.time_seconds : base::wallMicros() / 1'000'000;
  check_ = request::question(head_, arrival_, headers_, time, &body_);
  check_.tokens = caller_.tokens;
  if (!caller.principal.empty()) check_.forwarded = &forwarded_;
  return {};
}

// A JWT-SVID is the identity of a caller that shows no certificate.
Status CheckInput::takeSvid(const Caller& caller) {
  for (const auto& [provider, token] : caller.tokens) {
    if (provider != policy::kSvidProvider) continue;
    principal_ = TRY(principalOf(token->verified().subject));
    principal_.kind = identity::Principal::Kind::kJwtSvid;
  }
  return {};
}

// `caller` outlives the arrival, which has views of it.
Status CheckInput::arrive(const Caller& caller) {
  principal_ = TRY(principalOf(caller.principal));
  if (principal_.anonymous()) TRY(takeSvid(caller));
  arrival_.listener = "test";
  arrival_.principal = &principal_;
  if (caller.scheme != "https" && caller.scheme != "http")
    return Error{"`scheme` is `" + base::printable(caller.scheme) + "`, must be https or http"};
  if (caller.scheme == "http" && !caller.principal.empty())
    return Error{"`principal` needs TLS: a caller over http is anonymous"};
  arrival_.scheme = caller.scheme;
  if (caller.protocol == "HTTP/2") head_.version = http::Version::kHttp2;
  else if (caller.protocol != "HTTP/1.1")
    return Error{"`protocol` is `" + base::printable(caller.protocol) + "`, must be HTTP/1.1 or HTTP/2"};
  if (!caller.source.empty()) TRY(readEndpoint("source", caller.source, arrival_.source, arrival_.source_port));
  if (!caller.destination.empty())
    TRY(readEndpoint("destination", caller.destination, arrival_.destination, arrival_.destination_port));
  if (caller.scheme == "https") arrival_.tls_version = "TLSv1.3";
  arrival_.tls_sni = caller.sni;
  return {};
}

}  // namespace yett::runtime
