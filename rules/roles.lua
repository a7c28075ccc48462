-- Who may read and who may write, as data: roles.json is part of the policy, so a change of it is a new policy.
local roles = data "roles.json"

local function has_role(r, role)
  return has(roles[role], r.principal.path), "the caller is no " .. role
end

policy "roles" {
  allow "readers read" {
    principal = "spiffe://example.org/**",
    method = { "GET", "HEAD", "OPTIONS" },
    path = "/api/**",
    when = function(r) return has_role(r, "reader") end,
    set_header = { ["x-role"] = "reader" },
  },

  allow "editors write" {
    principal = "spiffe://example.org/**",
    method = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE" },
    path = "/api/**",
    when = function(r) return has_role(r, "editor") end,
    set_header = { ["x-role"] = "editor" },
  },
}
