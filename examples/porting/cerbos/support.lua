-- Cerbos: a resource policy with the hours and the address of a caller, and a principal policy.
--   resourcePolicy: resource: ticket
--     - {actions: [view, reply], roles: [support], effect: EFFECT_ALLOW, condition: {match: {all: {of: [
--         {expr: 'now().getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5]'},
--         {expr: 'now().getHours("Europe/Berlin") >= 8 && now().getHours("Europe/Berlin") < 18'},
--         {expr: 'P.attr.ip_address.inIPAddrRange("10.20.0.0/16")'}]}}}}
--     - {actions: [view, reply], roles: [on_call], effect: EFFECT_ALLOW, condition: {match: {none: {of: [
--         {expr: 'now().getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5]'}]}}}}
--   principalPolicy: principal: spiffe://e.org/support/mallory
--     - resource: ticket  actions: [{action: "*", effect: EFFECT_DENY}]
policy "support" {
  allow "support by day" {
    principal = "spiffe://e.org/support/*",
    method    = { "GET", "POST" },
    path      = "/tickets/**",
    source    = "10.20.0.0/16",
    hours     = { "08:00-18:00", "mon-fri", zone = "Europe/Berlin" },
  },

  allow "on call at the weekend" {
    principal = "spiffe://e.org/on-call/*",
    method    = { "GET", "POST" },
    path      = "/tickets/**",
    not_hours = { "mon-fri", zone = "Europe/Berlin" },
  },

  deny "mallory is suspended" { principal = "spiffe://e.org/support/mallory", path = "/tickets/**" },
}
