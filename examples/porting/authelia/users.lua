-- Authelia, names and groups in patterns:
--   access_control:
--     default_policy: deny
--     rules:
--       - {domain_regex: '^(?P<User>\w+)\.home\.example\.net$', policy: one_factor}
--       - {domain: dev.example.net, resources: ['^/groups/(?P<Group>\w+)([/?].*)?$'], policy: one_factor}
--       - {domain: dev.example.net, resources: ['^/users/john([/?].*)?$'], policy: two_factor,
--          subject: [['group:dev', 'user:john'], 'group:admins']}
-- The user, the groups and the factors come from a gateway: see portal.lua. In Authelia a captured name matches in any
-- case. Here the names of hosts do; a path is compared as it was sent.
local gateway = "spiffe://e.org/gateway"

local function member(r, group)
  for name in r.header["x-groups"]:gmatch("[^, ]+") do
    if name == group then return true end
  end
  return false
end

policy "users" {
  allow "everybody has a home" {
    principal = gateway,
    host      = "*.home.example.net",
    path      = "/**",
    header    = { ["x-factors"] = { "1", "2" } },
    when      = function(r) return r.host == r.header["x-user"]:lower() .. ".home.example.net" end,
  },

  allow "groups have a folder" {
    principal = gateway,
    host      = "dev.example.net",
    path      = "/groups/{group}/**",
    header    = { ["x-factors"] = { "1", "2" } },
    when      = function(r) return member(r, r.params.group) end,
  },

  allow "john's folder is his and the admins'" {
    principal = gateway,
    host      = "dev.example.net",
    path      = "/users/john/**",
    header    = { ["x-factors"] = "2" },
    when      = function(r) return r.header["x-user"] == "john" and member(r, "dev") or member(r, "admins") end,
  },
}
