-- Casbin: RBAC with domains, and a deny that overrides.
--   [policy_effect] e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
--   [matchers]      m = g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act
--   p, admin, acme, invoices, (GET)|(PUT), allow     g, alice, admin, acme
--   p, admin, acme, salaries, GET, allow             g, bob, admin, acme
--   p, intern, acme, salaries, GET, deny             g, bob, intern, acme
--   p, reader, globex, invoices, GET, allow          g, alice, reader, globex
local tenants = data "tenants.json"

local function some(r, effect)
  local tenant = optional(tenants, r.params.tenant, nil)
  if tenant == nil then return false end
  for _, role in ipairs(optional(tenant.roles, r.principal.id, {})) do
    local actions = optional(tenant.policy[role], r.params.object, {})
    if optional(actions, r.method, "none") == effect then return true, role end
  end
  return false
end

policy "tenants" {
  allow "a role of the tenant grants it" {
    principal = authenticated,
    path      = "/tenants/{tenant}/{object}",
    when      = function(r) return some(r, "allow") end,
  },

  deny "a role of the tenant forbids it" {
    principal = authenticated,
    path      = "/tenants/{tenant}/{object}",
    when      = function(r) return some(r, "deny") end,
  },
}
