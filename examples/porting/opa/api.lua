-- OPA:
--   default allow := false
--   allow if { input.method == "GET"; input.path == ["finance", "salary", username]; token.payload.sub == username }
--   allow if { input.method == "GET"; input.path == ["finance", "salary", _]; "hr" in token.payload.roles }
--   allow if { some grant in data.grants[input.user]; grant.action == input.method; startswith(input.path, grant.prefix) }
-- The token must have been verified before (by a gateway): decoding it proves nothing.
local grants = data "grants.json"
local three_parts = "^%a+ [%w_-]+%.([%w_-]+)%.[%w_-]+$"  -- a token of header, payload and signature

local function claims(r)
  local payload = r.header.authorization:match(three_parts)
  if payload == nil then return nil end
  return json.decode(base64url.decode(payload))
end

policy "api" {
  allow "own salary" {
    principal = authenticated,
    method    = "GET",
    path      = "/finance/salary/{user}",
    when      = function(r)
      local token = claims(r)
      return token ~= nil and token.sub == r.params.user
    end,
  },

  allow "hr reads salaries" {
    principal = authenticated,
    method    = "GET",
    path      = "/finance/salary/{user}",
    when      = function(r)
      local token = claims(r)
      if token == nil then return false end
      for _, role in ipairs(token.roles) do
        if role == "hr" then return true end
      end
      return false
    end,
  },

  allow "granted" {
    principal = authenticated,
    path      = "/docs/**",
    when      = function(r)
      for _, grant in ipairs(optional(grants, r.principal.id, {})) do
        if grant.action == r.method and r.path:sub(1, #grant.prefix) == grant.prefix then return true end
      end
      return false
    end,
  },
}
