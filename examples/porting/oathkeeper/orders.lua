-- Ory Oathkeeper:
--   - id: orders
--     match: {url: "<http|https>://shop.example.org/orders/<[0-9]+>", methods: [GET, PATCH]}
--     authenticators: [{handler: cookie_session, config: {check_session_url: "http://kratos/sessions/whoami"}}]
--     authorizer: {handler: allow}
--     mutators: [{handler: header, config: {headers: {
--       X-User: "{{ print .Subject }}", X-Order: "{{ printIndex .MatchContext.RegexpCaptureGroups 1 }}"}}}]
-- Yett keeps no sessions: a gateway asks Kratos, and passes the subject in x-session-subject. Yett removes any X-User
-- and X-Order that a client sends. Without a subject the header cannot be computed, and the allow does not apply. Over
-- http every caller is anonymous, so the rule holds for https alone.
policy "orders" {
  allow "orders" {
    principal  = "spiffe://e.org/gateway",
    host       = "shop.example.org",
    method     = { "GET", "PATCH" },
    path       = "/orders/{order}",
    when       = function(r) return r.params.order:match("^[0-9]+$") ~= nil end,
    set_header = {
      ["x-user"]  = function(r) return r.header["x-session-subject"] end,
      ["x-order"] = function(r) return r.params.order end,
    },
  },
}
