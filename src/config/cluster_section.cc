#include <algorithm>

#include "base/text.h"
#include "config/cluster_parts.h"
#include "config/sections.h"
#include "policy/settable_header.h"
#include "target/path_profile.h"
#include "upstream/cluster.h"

namespace yett::config {

void readHashKey(ObjectReader& in, std::string_view key, upstream::HashKey& out) {
  using From = upstream::HashKey::From;
  std::string text;
  in.text(key, text);
  const auto colon = std::min(text.find(':'), text.size());
  const std::string kind = text.substr(0, colon);
  out.name = text.substr(std::min(colon + 1, text.size()));
  if (kind == "header") out.from = From::kHeader;
  else if (kind == "cookie") out.from = From::kCookie;
  else if (kind == "principal") out.from = From::kPrincipal;
  else if (kind == "source") out.from = From::kSource;
  const bool named = out.from == From::kHeader || out.from == From::kCookie;
  if (in.has(key) && (out.from == From::kNone || named == out.name.empty()))
    in.problem(key, "`" + base::printable(text) + "` is not `header:NAME`, `cookie:NAME`, `principal` or `source`");
  if (out.from == From::kHeader && out.name != base::lowered(out.name))
    in.problem(key, "`" + text + "`: write header names in lower case");
}

namespace {

void readHash(ObjectReader& in, upstream::ClusterConfig& out) {
  readHashKey(in, "hash", out.hash);
  const bool ring = out.balance == upstream::Balance::kRingHash;
  if (ring && !in.has("hash")) in.problem("balance", "`ring_hash` needs `hash`, which says what to hash");
  if (!ring && in.has("hash")) in.problem("hash", "is for `\"balance\": \"ring_hash\"`");
}

void readOutliers(ObjectReader& in, upstream::OutlierConfig& out) {
  in.object("outlier_detection", [&](ObjectReader& o) {
    o.number("consecutive_failures", 0, 1'000'000, out.consecutive_failures);
    o.duration("base_ejection_time", out.base_ejection_time);
    if (out.base_ejection_time > base::Millis(86'400'000)) o.problem("base_ejection_time", "must be at most 24h");
    o.number("max_ejection_percent", 0, 100, out.max_ejection_percent);
  });
}

void readBudget(ObjectReader& in, upstream::RetryBudgetConfig& out) {
  in.object("retry_budget", [&](ObjectReader& b) {
    b.fraction("ratio", 0, 1, out.ratio);
    b.number("min_retries_per_second", 0, 1'000'000, out.min_retries_per_second);
  });
}

}  // namespace

void readCluster(ObjectReader& in, const std::string& file, const std::string& zone, upstream::ClusterConfig& out) {
  in.requiredText("name", out.name);
  readEndpoints(in, out);
  size_t balance = 0;
  in.choice("balance", {"least_request", "round_robin", "random", "ring_hash"}, balance);
  out.balance = static_cast<upstream::Balance>(balance);
  readHash(in, out);
  readOutliers(in, out.outliers);
  readBudget(in, out.retry_budget);
  size_t protocol = 0;
  in.choice("protocol", {"http1", "http2", "auto"}, protocol);
  out.protocol = static_cast<upstream::Protocol>(protocol);
  readClusterTls(in, file, out);
  if (out.tls.on && !in.has("protocol")) out.protocol = upstream::Protocol::kAuto;
  readHealthCheck(in, out);
  out.own_zone = zone;
  in.flag("prefer_own_zone", out.prefer_own_zone);
  if (out.prefer_own_zone && zone.empty()) in.problem("prefer_own_zone", "needs `/zone`, where Yett runs");
  if (out.prefer_own_zone && out.balance == upstream::Balance::kRingHash)
    in.problem("prefer_own_zone", "does not go with `ring_hash`: the key alone decides there");
  in.number("panic_threshold", 0, 100, out.panic_threshold);
  in.durationOrZero("slow_start", out.slow_start);
  in.object("circuit_breakers", [&](ObjectReader& b) {
    constexpr int64_t kMost = 1'000'000;
    b.number("max_connections", 1, kMost, out.breakers.max_connections);
    b.number("max_pending_requests", 1, kMost, out.breakers.max_pending_requests);
    b.number("max_requests", 1, kMost, out.breakers.max_requests);
  });
  if (in.has("max_connections"))
    in.problem("max_connections", "is now `circuit_breakers.max_connections`, for all workers together");
  in.size("max_request_head", out.max_request_head);
  if (out.max_request_head < 1024 || out.max_request_head > (1 << 20))
    in.problem("max_request_head", "must be from 1KiB to 1MiB");
  in.size("max_response_head", out.max_response_head);
  if (out.max_response_head < 1024 || out.max_response_head > (4 << 20))
    in.problem("max_response_head", "must be from 1KiB to 4MiB");
  in.number("max_response_fields", 10, 10'000, out.max_response_fields);
  in.object("jwt_svid", [&](ObjectReader& token) {
    token.requiredText("audience", out.token_audience);
    const auto plain = [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; };
    if (!std::all_of(out.token_audience.begin(), out.token_audience.end(), plain))
      token.problem("audience", "must have printable ASCII only, without spaces, quotes and backslashes");
    token.text("header", out.token_header);
    if (!policy::isHeaderName(out.token_header) || !policy::maySetHeader(out.token_header))
      token.problem("header", "`" + out.token_header + "` is not a header name in lower case that a token may have");
  });
  size_t profile = 0;
  in.choice("path_profile", {"strict", "nginx", "tomcat", "go"}, profile);
  out.path_profile = static_cast<target::PathProfile>(profile);
  in.duration("connect_timeout", out.connect_timeout);
  in.duration("idle_timeout", out.idle_timeout);
  in.durationOrZero("keep_alive", out.keep_alive);
  if (out.keep_alive.count() > 0 && out.keep_alive < base::Millis(1000))
    in.problem("keep_alive", "must be at least 1s, or 0s for none");
}

}  // namespace yett::config
