-- Envoy RBAC:
--   action: ALLOW
--   policies:
--     "service-admin": { permissions: [{any: true}], principals: [{authenticated: {principal_name: {exact: "spiffe://e.org/admin"}}}] }
--     "product-viewer":
--       permissions: [{and_rules: {rules: [{header: {name: ":method", string_match: {exact: "GET"}}},
--                                          {url_path: {path: {prefix: "/products"}}},
--                                          {or_rules: {rules: [{destination_port: 80}, {destination_port: 443}]}}]}}]
--       principals:  [{or_ids: {ids: [{direct_remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}, {header: {name: "x-internal", present_match: true}}]}}]
-- An or between different things is two rules, or a condition.
policy "service" {
  allow "service admin" { principal = "spiffe://e.org/admin", path = "/**" },

  allow "products from the own network" {
    principal = anyone,
    method    = "GET",
    path      = "/products/**",
    source    = "10.0.0.0/8",
    when      = function(r) return r.destination.port == 80 or r.destination.port == 443 end,
  },

  allow "products for internal callers" {
    principal  = anyone,
    method     = "GET",
    path       = "/products/**",
    not_header = { ["x-internal"] = absent },
    when       = function(r) return r.destination.port == 80 or r.destination.port == 443 end,
  },
}
