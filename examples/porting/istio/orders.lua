-- An Istio AuthorizationPolicy:
--   action: DENY   rules: - to: [{operation: {paths: ["/admin*"]}}]
--                           from: [{source: {notNamespaces: ["ops"]}}]
--   action: ALLOW  rules: - from: [{source: {principals: ["cluster.local/ns/default/sa/sleep"]}}, {source: {namespaces: ["dev"]}}]
--                           to: [{operation: {methods: ["GET"], paths: ["/info*", "/data/*"]}}]
--                           when: [{key: request.headers[version], values: ["v1", "v2"]}]
policy "orders" {
  deny "only ops administers" {
    path          = { "/admin/**", re "/admin[^/]+" },
    not_principal = "spiffe://cluster.local/ns/ops/**",
  },

  allow "sleep and dev read" {
    principal = { "spiffe://cluster.local/ns/default/sa/sleep", "spiffe://cluster.local/ns/dev/**" },
    method    = "GET",
    path      = { "/info/**", "/data/**" },
    header    = { version = { "v1", "v2" } },
  },

  allow "ops administers" { principal = "spiffe://cluster.local/ns/ops/**", path = "/admin/**" },
}
