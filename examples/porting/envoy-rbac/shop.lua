-- Envoy RBAC that denies, and a second one on trial:
--   rules:
--     action: DENY
--     policies:
--       "changes from outside":
--         permissions: [{and_rules: {rules: [{url_path: {path: {prefix: "/shop/"}}},
--                                            {not_rule: {header: {name: ":method", string_match: {exact: "GET"}}}}]}}]
--         principals:  [{not_id: {authenticated: {principal_name: {prefix: "spiffe://e.org/shop/"}}}}]
--   shadow_rules:
--     action: DENY
--     policies:
--       "old clients":
--         permissions: [{and_rules: {rules: [{url_path: {path: {prefix: "/shop/"}}},
--                         {not_rule: {header: {name: "x-api-version", string_match: {exact: "2"}}}}]}}]
--         principals:  [{any: true}]
-- In Envoy what no DENY matches passes. Here an allow says so.
policy "shop" {
  allow "the rest" { principal = anyone, path = "/shop/**" },

  deny "changes from outside" {
    path          = "/shop/**",
    not_method    = "GET",
    not_principal = "spiffe://e.org/shop/**",
  },

  deny "old clients" { path = "/shop/**", not_header = { ["x-api-version"] = "2" }, audit_only = true },
}
