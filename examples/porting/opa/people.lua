-- OPA behind Envoy, roles of a token and the body of the request:
--   default allow := false
--   http := input.attributes.request.http
--   claims := input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].payload
--   allow if { claims.role in {"guest", "admin"}; http.method == "GET"; glob.match("/people/*", ["/"], http.path) }
--   allow if { claims.role == "admin"; http.method == "POST"; http.path == "/people"
--              lower(input.parsed_body.firstname) != claims.sub }
-- Envoy verifies the token and passes its claims (`forward_payload_header: x-jwt-payload`).
local envoy = "spiffe://e.org/envoy"
local readers = { guest = true, admin = true }

local function claims(r) return json.decode(base64url.decode(r.header["x-jwt-payload"])) end

policy "people" {
  allow "guests and admins read" {
    principal = envoy,
    method    = "GET",
    path      = "/people/*",
    when      = function(r) return has(readers, claims(r).role) end,
  },

  allow "admins create others" {
    principal = envoy,
    method    = "POST",
    path      = "/people",
    when      = function(r)
      local token = claims(r)
      if token.role ~= "admin" then return false, "not an admin" end
      return r.body.json.firstname:lower() ~= token.sub, "nobody creates himself"
    end,
  },
}
