-- Two Istio AuthorizationPolicies with path templates:
--   action: ALLOW  rules: - from: [{source: {namespaces: ["shop"]}}]
--                           to: [{operation: {methods: ["GET", "POST"], paths: ["/store/{**}/cart"]}},
--                                {operation: {methods: ["GET"], paths: ["/store/{*}/items/{*}"]}}]
--                         - to: [{operation: {hosts: ["static.example.org"], methods: ["GET"], paths: ["*.txt"]}}]
--   action: DENY   rules: - to: [{operation: {paths: ["/store/{*}/items/{*}"], notMethods: ["GET", "HEAD"]}}]
-- In Istio `{**}` is not empty between two slashes: /store/cart is no cart of a store. Here it must be excluded.
policy "store" {
  allow "carts" {
    principal = "spiffe://cluster.local/ns/shop/**",
    method    = { "GET", "POST" },
    path      = "/store/**/cart",
    not_path  = "/store/cart",
  },

  allow "items" { principal = "spiffe://cluster.local/ns/shop/**", method = "GET", path = "/store/*/items/*" },

  allow "texts" { principal = anyone, host = "static.example.org", method = "GET", path = "/**.txt" },

  deny "items are read-only" { path = "/store/*/items/*", not_method = { "GET", "HEAD" } },
}
