-- Envoy RBAC with URI templates (uri_template: {typed_config: {path_template: ...}}, short here):
--   action: ALLOW
--   policies:
--     "players":
--       permissions: [{and_rules: {rules: [{header: {name: ":method", string_match: {exact: "GET"}}},
--                                          {or_rules: {rules: [{uri_template: "/live/*/*/*.m4s"},
--                                                              {uri_template: "/content/**.mpd"}]}}]}}]
--       principals:  [{not_id: {direct_remote_ip: {address_prefix: 203.0.113.0, prefix_len: 24}}}]
--     "encoders":
--       permissions: [{and_rules: {rules: [{header: {name: ":method", string_match: {exact: "PUT"}}},
--                                          {uri_template: "/live/{channel}/*/*.m4s"},
--                                          {not_rule: {header: {name: "x-dry-run", present_match: true}}}]}}]
--       principals:  [{authenticated: {principal_name: {prefix: "spiffe://media.example.org/encoder/"}}}]
policy "media" {
  allow "players" {
    principal  = anyone,
    method     = "GET",
    path       = { "/live/*/*/*.m4s", "/content/**.mpd" },
    not_source = "203.0.113.0/24",
  },

  allow "encoders" {
    principal = "spiffe://media.example.org/encoder/**",
    method    = "PUT",
    path      = "/live/{channel}/*/*.m4s",
    header    = { ["x-dry-run"] = absent },
  },
}
