#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/address.h"
#include "config/sections.h"
#include "http/limits.h"
#include "identity/spiffe_id.h"
#include "net/tls_context.h"
#include "policy/settable_header.h"
#include "policy/token.h"
#include "proxy/route_table.h"
#include "request/header_families.h"
#include "request/headers.h"

namespace yett::config {
namespace {

// Which providers' tokens a route looks at.
void readTokens(ObjectReader& in, const identity::JwtProviderConfigs& known, proxy::RouteConfig& out) {
  std::vector<std::string_view> names;
  for (const auto& [name, provider] : known) names.push_back(name);
  in.entries("jwt", [&](const std::string& name, const std::string& how) {
    if (!known.contains(name))
      in.problem("jwt", "there is no provider `" + base::printable(name) + "` in `/authentication/jwt`" +
                            base::didYouMean(name, names));
    if (how != "required" && how != "optional")
      in.problem("jwt", "`" + base::printable(how) + "` is neither `required` nor `optional`");
    out.jwt[name] = how == "required";
  });
  for (const auto& [one, required] : out.jwt) {
    for (const auto& [other, also] : out.jwt) {
      if (one >= other || !required || !also || !known.contains(one) || !known.contains(other)) continue;
      const auto& from = known.at(one).from;
      if (from.size() == 1 && from == known.at(other).from)
        in.problem("jwt",
                   "`" + one + "` and `" + other + "` are both required, but look for their tokens in one place");
    }
  }
  if (out.jwt.contains(std::string(policy::kSvidProvider)))
    in.problem("jwt", "`svid`: write `\"jwt_svid\": \"required\"` beside `jwt`");
  if (!in.has("jwt_svid")) return;
  size_t svid = 0;
  in.choice("jwt_svid", {"optional", "required"}, svid);
  if (!known.contains(std::string(policy::kSvidProvider)))
    in.problem("jwt_svid", "needs `/authentication/jwt_svid`, which names the audiences");
  out.jwt[std::string(policy::kSvidProvider)] = svid == 1;
}

// "connect", "reset", or a status of 500 and more.
void readRetryOn(ObjectReader& in, proxy::RetryConfig& out) {
  std::vector<std::string> on;
  in.texts("on", on);
  if (!in.has("on")) return;
  out.connect = out.reset = false;
  for (const auto& one : on) {
    uint64_t status = 0;
    if (one == "connect") out.connect = true;
    else if (one == "reset") out.reset = true;
    else if (base::parseUnsigned(one, status) && status >= 500 && status <= 599)
      out.statuses.push_back(static_cast<int>(status));
    else in.problem("on", "`" + base::printable(one) + "` is neither `connect`, `reset` nor a status from 500 to 599");
  }
}

void readRetry(ObjectReader& in, proxy::RetryConfig& out) {
  out.num_retries = 1;
  in.number("num_retries", 0, 8, out.num_retries);
  readRetryOn(in, out);
  in.texts("methods", out.methods);
  for (const auto& method : out.methods) {
    if (method == base::lowered(method))
      in.problem("methods", "`" + base::printable(method) + "`: write methods in upper case");
  }
  in.durationOrZero("per_try_timeout", out.per_try_timeout);
}

// Either `cluster`, or `clusters` with their weights.
void readSplit(ObjectReader& in, proxy::RouteConfig& out) {
  if (!in.has("clusters")) {
    in.requiredText("cluster", out.cluster);
    if (in.has("split_by")) in.problem("split_by", "is for `clusters`");
    return;
  }
  if (in.has("cluster")) in.problem("cluster", "and `clusters` exclude each other");
  uint64_t sum = 0;
  in.weights("clusters", [&](const std::string& name, int64_t weight) {
    out.clusters.emplace_back(name, static_cast<uint32_t>(weight));
    sum += static_cast<uint64_t>(weight);
  });
  if (sum == 0) in.problem("clusters", "needs a cluster with a weight above 0");
  if (!out.clusters.empty()) out.cluster = out.clusters.front().first;
  readHashKey(in, "split_by", out.split_by);
}

void readRateLimits(ObjectReader& in, std::vector<proxy::RateLimitConfig>& out) {
  in.objects("rate_limits", 0, [&](ObjectReader& limit) {
    proxy::RateLimitConfig& config = out.emplace_back();
    constexpr int64_t kMost = 10'000'000;
    if (!limit.has("requests")) limit.problem("", "`requests` is missing: how many, per `per`");
    limit.number("requests", 1, kMost, config.requests);
    limit.duration("per", config.per);
    limit.number("burst", 1, kMost, config.burst);
    constexpr base::Millis kLongest{366LL * 86'400'000};
    if (config.per > kLongest) return limit.problem("per", "must be at most 366d");
    const int64_t interval = config.per.count() * 1'000'000 / std::max<int64_t>(1, config.requests);  // nanoseconds
    if (config.burst > INT64_MAX / 4 / std::max<int64_t>(1, interval))
      limit.problem("burst", "is so much more than the rate that it would not come back in a lifetime");
    if (limit.has("by")) {
      size_t by = 0;
      limit.choice("by", {"principal", "source"}, by);
      config.by = by == 0 ? proxy::RateLimitConfig::By::kPrincipal : proxy::RateLimitConfig::By::kSource;
    }
  });
}

void readRoute(ObjectReader& in, const Config& known, proxy::RouteConfig& out) {
  readTokens(in, known.jwt, out);
  in.object("retry", [&](ObjectReader& retry) { readRetry(retry, out.retry); });
  readRateLimits(in, out.rate_limits);
  in.text("path", out.path);
  in.texts("hosts", out.hosts);
  in.texts("methods", out.methods);
  readSplit(in, out);
  in.entries("headers", [&](const std::string& name, const std::string& value) {
    if (name != base::lowered(name)) in.problem("headers", "`" + name + "`: write header names in lower case");
    std::string folded;
    if (request::familyOf(request::foldedName(name, folded)) != nullptr || !policy::maySetHeader(name))
      in.problem("headers",
                 "`" + base::printable(name) + "` is one that Yett removes from requests, or sets: it says nothing");
    for (const auto& [provider, config] : known.jwt) {
      const auto& set = config.headers;
      if (std::any_of(set.begin(), set.end(),
                      [&](const auto& one) { return request::isNamed(name, std::array<std::string, 1>{one.first}); }))
        in.problem("headers", "`" + base::printable(name) + "` is one that only a token of `" + provider +
                                  "` may set, and routes are chosen before tokens are read");
    }
    out.headers[name] = value;
  });
  in.duration("response_timeout", out.response_timeout);
  in.flag("allow_encoded_slashes", out.allow_encoded_slashes);
  in.flag("forward_trailers", out.forward_trailers);
  in.flag("forward_parameters", out.forward_parameters);
  in.durationOrZero("idle_timeout", out.idle_timeout);
  std::vector<std::string> upgrades;
  in.texts("upgrades", upgrades);
  for (const auto& upgrade : upgrades) {
    if (upgrade != "websocket") in.problem("upgrades", "`" + upgrade + "` is not supported: use `websocket`");
    else out.websocket = true;
  }
  size_t names = 0;
  in.choice("json_keys", {"folded", "exact"}, names);
  out.exact_names = names == 1;
  in.texts("json_types", out.json_types);
  for (const auto& type : out.json_types) {
    if (type != base::lowered(type) || type.find('/') == std::string::npos ||
        type.find_first_of("; \t") != std::string::npos)
      in.problem("json_types",
                 "`" + type + "` is not a content type such as `application/x-name`: lower case, no parameters");
  }
  in.size("buffer_body", out.buffer_body);
  if (out.buffer_body > (16 << 20))
    in.problem("buffer_body", "must be at most 16MiB: every request may hold that much");
  if (auto ok = proxy::RouteTable::create({out}); !ok) in.problem("", ok.error().message);
}

void readTimeouts(ObjectReader& in, proxy::Timeouts& out) {
  in.duration("handshake", out.handshake);
  in.duration("request_head", out.request_head);
  in.duration("idle", out.idle);
  in.duration("body", out.body);
  in.duration("stream_idle", out.stream_idle);
  in.duration("lifetime", out.lifetime);
}

void readLimits(ObjectReader& in, http::Limits& out) {
  uint64_t head = out.head_bytes;
  in.size("head", head);
  if (head < 1024 || head > (1 << 20)) in.problem("head", "must be from 1KiB to 1MiB");
  out.head_bytes = head;
  int64_t count = static_cast<int64_t>(out.header_count);
  in.number("headers", 1, 10'000, count);
  out.header_count = static_cast<size_t>(count);
  in.size("body", out.body_bytes);
  in.size("body_rate", out.body_rate);
  int64_t streams = out.streams;
  in.number("streams", 1, 10'000, streams);
  out.streams = static_cast<uint32_t>(streams);
  uint64_t stream_window = out.stream_window;
  uint64_t connection_window = out.connection_window;
  in.size("stream_window", stream_window);
  in.size("connection_window", connection_window);
  if (stream_window < 65'535 || connection_window < stream_window || connection_window > (64 << 20))
    in.problem("", "`stream_window` must be at least 65535B, and `connection_window` from `stream_window` to 64MiB");
  out.stream_window = static_cast<uint32_t>(stream_window);
  out.connection_window = static_cast<uint32_t>(connection_window);
}

}  // namespace

void readListener(ObjectReader& in, const Config& known, proxy::ListenerConfig& out) {
  const identity::IdentityConfig& identity = known.identity;
  in.requiredText("name", out.name);
  in.requiredText("address", out.address);
  if (const std::string why = whyNotAddress(out.address, false); !out.address.empty() && !why.empty())
    in.problem("address", why);
  readMode(in, "socket_mode", out.socket_mode);
  in.flag("plaintext", out.plaintext);
  size_t protocol = 0;
  in.choice("protocol", {"auto", "http1", "http2"}, protocol);
  out.protocol = static_cast<proxy::Protocol>(protocol);
  const bool tls = in.has("tls");
  if (tls == out.plaintext) in.problem("", "a listener needs either `tls` or `\"plaintext\": true`");
  in.object("tls", [&](ObjectReader& t) {
    size_t mode = 0;
    t.choice("client_certificate", {"required", "optional", "none"}, mode);
    out.client_certificate = static_cast<net::ClientCertificate>(mode);
    size_t expiry = 0;
    t.choice("on_peer_certificate_expiry", {"drain", "close", "ignore"}, expiry);
    out.on_expiry = static_cast<proxy::OnExpiry>(expiry);
    t.number("handshakes_per_second", 1, 1'000'000, out.handshakes_per_second);
  });
  const bool by_api = !identity.workload_api.empty();  // gives SVID and bundles
  if (tls && identity.certificate.empty() && !by_api)
    in.problem("tls",
               "needs `/identity/svid` or `/identity/workload_api`: the certificate that this listener presents");
  if (tls && !by_api && out.client_certificate != net::ClientCertificate::kNone && identity.trust_bundles.empty()) {
    in.problem("tls", "needs `/identity/trust_bundles`: without them no caller can be verified");
  }
  readRateLimits(in, out.rate_limits);
  in.durationOrZero("max_connection_age", out.max_connection_age);
  in.texts("trusted_forwarders", out.trusted_forwarders);
  for (const auto& id : out.trusted_forwarders) {
    if (auto ok = identity::SpiffeId::parse(id); !ok) in.problem("trusted_forwarders", ok.error().message);
  }
  in.texts("keep_headers", out.keep_headers);
  for (const auto& name : out.keep_headers) {
    if (const std::string why = request::whyNotKept(name); !why.empty()) in.problem("keep_headers", why);
  }
  size_t certs = 0;
  in.choice("forwarded_client_cert", {"append_forward", "sanitize_set"}, certs);
  out.append_client_cert = certs == 0;
  if (in.has("forwarded_client_cert") && out.trusted_forwarders.empty())
    in.problem("forwarded_client_cert", "applies only to `trusted_forwarders`, which is not set");
  if (!out.keep_headers.empty() && out.trusted_forwarders.empty())
    in.problem("keep_headers", "applies only to `trusted_forwarders`, which is not set");
  in.objects("routes", 1, [&](ObjectReader& route) { readRoute(route, known, out.routes.emplace_back()); });
  in.object("timeouts", [&](ObjectReader& t) { readTimeouts(t, out.timeouts); });
  in.object("limits", [&](ObjectReader& l) { readLimits(l, out.limits); });
  out.limits.unix_socket = out.address.starts_with("unix://");
  out.limits.stall_millis = out.timeouts.body.count();
}

}  // namespace yett::config
