#include <algorithm>

#include "config/address.h"
#include "config/sections.h"
#include "policy/settable_header.h"
#include "target/path_profile.h"
#include "upstream/cluster.h"

namespace yett::config {

void readCluster(ObjectReader& in, upstream::ClusterConfig& out) {
  in.requiredText("name", out.name);
  in.texts("endpoints", out.endpoints);
  if (out.endpoints.empty()) in.problem("", "`endpoints` is missing or empty");
  for (const auto& endpoint : out.endpoints) {
    if (const std::string why = whyNotAddress(endpoint, true); !why.empty()) in.problem("endpoints", why);
  }
  size_t protocol = 0;
  in.choice("protocol", {"http1", "http2", "auto"}, protocol);
  out.protocol = static_cast<upstream::Protocol>(protocol);
  in.number("max_connections", 1, 1'000'000, out.max_connections);
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
}

}  // namespace yett::config
