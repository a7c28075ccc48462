-- Istio, claims of a token:
--   RequestAuthentication at the gateway:
--     jwtRules: [{issuer: "https://id.example.org", outputPayloadToHeader: "x-jwt-payload"}]
--   AuthorizationPolicies:
--   action: DENY   rules: - from: [{source: {notRequestPrincipals: ["*"]}}]
--                           to: [{operation: {hosts: ["reports.example.org"], notPaths: ["/healthz"]}}]
--   action: ALLOW  rules: - from: [{source: {requestPrincipals: ["https://id.example.org/*"]}}]
--                           to: [{operation: {hosts: ["reports.example.org"], methods: ["GET"]}}]
--                           when: [{key: request.auth.claims[groups], values: ["analysts", "auditors"]}]
--                         - to: [{operation: {hosts: ["reports.example.org"], methods: ["GET"], paths: ["/healthz"]}}]
-- The gateway verifies the token and passes its claims. Nobody else may pass claims, so the rule names the gateway.
local groups = { analysts = true, auditors = true }

policy "token" {
  deny "reports need a token" {
    host     = "reports.example.org",
    not_path = "/healthz",
    header   = { ["x-jwt-payload"] = absent },
    status   = 401,
  },

  allow "analysts and auditors read" {
    principal = "spiffe://cluster.local/ns/istio-system/sa/gateway",
    host      = "reports.example.org",
    method    = "GET",
    path      = "/**",
    when      = function(r)
      local claims = json.decode(base64url.decode(r.header["x-jwt-payload"]))
      if claims.iss ~= "https://id.example.org" then return false, "another issuer" end
      for _, group in ipairs(claims.groups) do
        if has(groups, group) then return true end
      end
      return false, "none of the groups"
    end,
  },

  allow "health" { principal = anyone, host = "reports.example.org", method = "GET", path = "/healthz" },
}
