-- Casbin: RBAC with resource roles.
--   [matchers] m = g(r.sub, p.sub) && keyMatch2(r.obj, p.obj) && regexMatch(r.act, p.act)
--   p, admin, /alice/:id, (GET)|(POST)      g, alice, admin
--   p, reader, /reports/*, GET              g, bob, reader
-- The policy file becomes a document: it changes without a change of code, and is read again like it.
local model = data "policy.json"

local function roles(r) return optional(model.roles, r.principal.id, {}) end

local function grants(r)
  for _, role in ipairs(roles(r)) do
    for _, rule in ipairs(model.policy[role]) do
      local path = r.path == rule.path or (rule.below and r.path:sub(1, #rule.path + 1) == rule.path .. "/")
      if path and has(rule.methods, r.method) then return true, role end
    end
  end
  return false
end

policy "rbac" {
  allow "a role grants it" { principal = authenticated, path = "/**", when = grants },
}
