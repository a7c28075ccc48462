-- Cerbos: variables, and a condition on the age of a resource.
--   resourcePolicy: resource: expense
--     variables: {local: {is_owner: R.attr.ownerId == P.id,
--                         is_open: R.attr.status == "OPEN",
--                         is_new: timestamp(R.attr.createdAt).timeSince() < duration("1h")}}
--     - {actions: [create], roles: [sales], effect: EFFECT_ALLOW,
--        condition: {match: {all: {of: [{expr: V.is_owner}, {expr: R.attr.amount <= 1000}]}}}}
--     - {actions: [create], roles: [finance], effect: EFFECT_ALLOW, condition: {match: {expr: V.is_owner}}}
--     - {actions: [delete], roles: ["*"], effect: EFFECT_ALLOW,
--        condition: {match: {all: {of: [{expr: V.is_owner}, {expr: V.is_open}, {expr: V.is_new}]}}}}
-- Roles are in the caller's name. Documents have no times, so `createdAt` is in seconds since 1970.
local expenses = data "expenses.json"

local function is_owner(r, expense) return expense.ownerId == r.principal.id end

policy "expenses" {
  allow "sales creates small ones" {
    principal = "spiffe://e.org/sales/*",
    method    = "POST",
    path      = "/expenses",
    when      = function(r)
      if not is_owner(r, r.body.json) then return false, "of somebody else" end
      return r.body.json.amount <= 1000, "over 1000"
    end,
  },

  allow "finance creates any" {
    principal = "spiffe://e.org/finance/*",
    method    = "POST",
    path      = "/expenses",
    when      = function(r) return is_owner(r, r.body.json) end,
  },

  allow "owners delete new ones" {
    principal = authenticated,
    method    = "DELETE",
    path      = "/expenses/{id}",
    ttl       = "10s",
    when      = function(r)
      local expense = expenses[r.params.id]
      if not is_owner(r, expense) then return false, "of somebody else" end
      if expense.status ~= "OPEN" then return false, "not open" end
      return r.time - expense.createdAt < 3600, "older than an hour"
    end,
  },
}
