-- OPA, attributes of the user and hours of the exchange:
--   default allow := false
--   open if { zone := "America/New_York"
--             not time.weekday([time.now_ns(), zone]) in {"Saturday", "Sunday"}
--             [h, m, _] := time.clock([time.now_ns(), zone]); h * 60 + m >= 9 * 60 + 30; h * 60 + m < 16 * 60 }
--   trader := data.traders[input.user]
--   limit := 2000000 if trader.tenure <= 10
--   limit := 5000000 if trader.tenure > 10
--   allow if { open; input.method == "POST"; input.path == ["trades"]; trader; input.body.amount < limit }
--   allow if { input.method == "GET"; input.path == ["trades", _]; trader }
-- An amount that is text is not less than a number: comparing them is an error, and the allow does not apply.
local traders = data "traders.json"

policy "trades" {
  allow "traders buy while the exchange is open" {
    principal = "spiffe://e.org/trader/*",
    method    = "POST",
    path      = "/trades",
    hours     = { "09:30-16:00", "mon-fri", zone = "America/New_York" },
    when      = function(r)
      local limit = 2000000
      if traders[r.principal.id].tenure > 10 then limit = 5000000 end
      return r.body.json.amount < limit, "over the limit of " .. limit
    end,
  },

  allow "traders read at any time" {
    principal = "spiffe://e.org/trader/*",
    method    = "GET",
    path      = "/trades/*",
    when      = function(r) return has(traders, r.principal.id) end,
  },
}
