-- Ory Oathkeeper, exclusions and an authorizer elsewhere:
--   - id: assets
--     match: {url: "https://files.example.org/static/<(?!internal/).*\.(css|js)>", methods: [GET]}
--     authenticators: [{handler: cookie_session}, {handler: anonymous, config: {subject: guest}}]
--     authorizer: {handler: allow}
--     mutators: [{handler: header, config: {headers: {X-User: "{{ print .Subject }}"}}}]
--   - id: internal
--     match: {url: "https://files.example.org/static/internal/<.*>", methods: [GET]}
--     authenticators: [{handler: cookie_session}]  authorizer: {handler: deny}
--   - id: reports
--     match: {url: "https://files.example.org/reports/<[a-z]+>/<.*>.pdf", methods: [GET]}
--     authenticators: [{handler: cookie_session}]
--     authorizer: {handler: remote_json, config: {remote: "http://teams/check", payload:
--       '{"user": "{{ print .Subject }}", "team": "{{ printIndex .MatchContext.RegexpCaptureGroups 0 }}"}'}}
--     mutators: [{handler: header, config: {headers: {X-User: "{{ print .Subject }}"}}}]
-- RE2 has no lookahead: what `(?!...)` excludes is a `not_path`. Yett asks no other service: who is in which team is a
-- document. For the gateway and x-session-subject see orders.lua.
local teams = data "teams.json"
local gateway = "spiffe://e.org/gateway"

policy "files" {
  allow "assets" {
    principal  = gateway,
    host       = "files.example.org",
    method     = "GET",
    path       = { "/static/**.css", "/static/**.js" },
    not_path   = "/static/internal/**",
    set_header = { ["x-user"] = function(r) return optional(r.header, "x-session-subject", "guest") end },
  },

  deny "internal" { host = "files.example.org", path = "/static/internal/**" },

  allow "reports of the own team" {
    principal  = gateway,
    host       = "files.example.org",
    method     = "GET",
    path       = "/reports/{team}/**.pdf",
    when       = function(r)
      for _, member in ipairs(optional(teams, r.params.team, {})) do
        if member == r.header["x-session-subject"] then return true end
      end
      return false, "not in the team"
    end,
    set_header = { ["x-user"] = function(r) return r.header["x-session-subject"] end },
  },
}
