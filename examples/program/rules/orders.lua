-- For those who want to write a program instead of rules. What it reads is recorded, what it costs is bounded, and its
-- answer is remembered like any other.
local limits = data "limits.json"

policy "orders" {
  decide(function(r)
    if r.path:match("^/debug") then return refuse("debug is closed", "debug endpoints are closed") end
    if r.principal.kind == "anonymous" then return nil end
    if r.method == "GET" then return permit("reading is free") end
    if r.method ~= "POST" or not r.path:match("^/orders/%d+$") then return nil end

    local order = r.body.json
    local limit = optional(limits, r.principal.path, 0)
    if order.amount > limit then
      return refuse("amount " .. order.amount .. " is over " .. limit, "the order is too large for you")
    end
    return permit("within the limit")
  end),
}
