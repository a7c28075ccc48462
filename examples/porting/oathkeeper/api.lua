-- Ory Oathkeeper, tokens:
--   - id: preflight
--     match: {url: "https://api.example.org/<.*>", methods: [OPTIONS]}
--     authenticators: [{handler: noop}]  authorizer: {handler: allow}  mutators: [{handler: noop}]
--   - id: profiles
--     match: {url: "https://api.example.org/v1/<users|teams>/<.*>", methods: [GET, PUT]}
--     authenticators: [{handler: jwt, config: {trusted_issuers: ["https://id.e.org/"], target_audience: [api],
--                                              scope_strategy: exact, required_scope: [profile]}}]
--     authorizer: {handler: allow}
--     mutators: [{handler: header, config: {headers: {X-User: "{{ print .Subject }}",
--                                                     X-Roles: "{{ .Extra.roles | join \",\" }}"}}}]
-- Yett does not verify the signature of a token: a gateway must do that, and check its times.
local gateway = "spiffe://e.org/gateway"

local function claims(r)
  return json.decode(base64url.decode(r.header.authorization:match("^Bearer [%w_-]+%.([%w_-]+)%.[%w_-]+$")))
end

local function is_for(token, audience)
  if type(token.aud) == "string" then return token.aud == audience end
  for _, name in ipairs(token.aud) do
    if name == audience then return true end
  end
  return false
end

policy "api" {
  allow "preflight" { principal = gateway, host = "api.example.org", method = "OPTIONS", path = "/**" },

  allow "profiles" {
    principal  = gateway,
    host       = "api.example.org",
    method     = { "GET", "PUT" },
    path       = { "/v1/users/**", "/v1/teams/**" },
    when       = function(r)
      local token = claims(r)
      if token.iss ~= "https://id.e.org/" then return false, "another issuer" end
      if not is_for(token, "api") then return false, "another audience" end
      return (" " .. token.scope .. " "):find(" profile ", 1, true) ~= nil, "another scope"
    end,
    set_header = {
      ["x-user"]  = function(r) return claims(r).sub end,
      ["x-roles"] = function(r) return table.concat(claims(r).roles, ",") end,
    },
  },
}
