-- Authelia:
--   access_control:
--     default_policy: deny
--     networks: [{name: internal, networks: [10.10.0.0/16, 192.168.2.0/24]}]
--     rules:
--       - {domain: public.example.org, policy: bypass}
--       - {domain: '*.example.org', methods: [OPTIONS], policy: bypass}
--       - {domain: secure.example.org, networks: [internal], policy: one_factor}
--       - {domain: secure.example.org, policy: two_factor}
--       - {domain: mail.example.org, subject: 'group:contractors', policy: deny}
--       - {domain: '*.example.org', subject: ['group:admins', 'group:moderators'], policy: two_factor}
-- In Authelia the first rule that matches decides. Here order does not matter, so a deny excludes what an earlier
-- bypass opens. Yett keeps no sessions: a gateway logs users in, and passes x-user, x-groups (`a,b`) and x-factors
-- (1 or 2). It sends users to its login page when it gets the 401. `networks` is about the client: the address that
-- the gateway adds last to x-forwarded-for.
local gateway = "spiffe://e.org/gateway"
local internal = { cidr "10.10.0.0/16", cidr "192.168.2.0/24" }

policy "portal" {
  allow "public" { principal = gateway, host = "public.example.org", path = "/**" },

  allow "preflights" { principal = gateway, host = "*.example.org", method = "OPTIONS", path = "/**" },

  allow "secure from inside" {
    principal = gateway,
    host      = "secure.example.org",
    path      = "/**",
    header    = { ["x-factors"] = { "1", "2" } },
    when      = function(r)
      local client = r.header["x-forwarded-for"]:match("[^, ]+$")
      for _, network in ipairs(internal) do
        if network:contains(client) then return true end
      end
      return false, "from outside: two factors are needed"
    end,
  },

  allow "secure" {
    principal = gateway,
    host      = "secure.example.org",
    path      = "/**",
    header    = { ["x-factors"] = "2" },
  },

  deny "no mail for contractors" {
    host       = "mail.example.org",
    not_method = "OPTIONS",
    header     = { ["x-groups"] = "contractors" },
  },

  allow "admins and moderators" {
    principal = gateway,
    host      = "*.example.org",
    path      = "/**",
    header    = { ["x-factors"] = "2", ["x-groups"] = re "(.*,)?(admins|moderators)(,.*)?" },
  },

  deny "log in first" {
    host       = "*.example.org",
    not_host   = "public.example.org",
    not_method = "OPTIONS",
    header     = { ["x-user"] = absent },
    status     = 401,
  },
}
