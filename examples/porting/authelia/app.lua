-- Authelia, resources, methods and queries:
--   access_control:
--     default_policy: deny
--     rules:
--       - {domain: app.example.net, resources: ['^/api/admin([/?].*)?$'], policy: deny}
--       - {domain: app.example.net, resources: ['^/api([/?].*)?$'], methods: [GET, HEAD], policy: bypass}
--       - domain: app.example.net
--         resources: ['^/docs/[^?]*\.(html|css)(\?.*)?$']
--         query: [[{operator: present, key: preview}, {operator: absent, key: debug}],
--                 [{operator: pattern, key: lang, value: '^(de|en)$'}, {operator: 'not equal', key: page, value: raw}]]
--         policy: bypass
--       - {domain: app.example.net, policy: one_factor}
-- In Authelia an expression matches the path and the query. Here the path is one field, and the query another.
-- The alternatives of `query` are two rules. `present` is `not_query` with `absent`. In an allow, `not_query` with a
-- value wants the key to be sent. `not equal` does not, so it is a condition.
local gateway = "spiffe://e.org/gateway"
local pages = { "/docs/**.html", "/docs/**.css" }

policy "app" {
  deny "the api of admins is closed" { host = "app.example.net", path = "/api/admin/**" },

  allow "reading the api" {
    principal = gateway,
    host      = "app.example.net",
    method    = { "GET", "HEAD" },
    path      = "/api/**",
  },

  allow "previews" {
    principal = gateway,
    host      = "app.example.net",
    path      = pages,
    query     = { debug = absent },
    not_query = { preview = absent },
  },

  allow "pages in a language" {
    principal = gateway,
    host      = "app.example.net",
    path      = pages,
    query     = { lang = { "de", "en" } },
    when      = function(r) return optional(r.query, "page", "") ~= "raw" end,
  },

  allow "whoever logged in" {
    principal = gateway,
    host      = "app.example.net",
    path      = "/**",
    header    = { ["x-factors"] = { "1", "2" } },
  },
}
