-- Cerbos: a resource policy with derived roles.
--   derivedRoles:
--     - name: owner           parentRoles: [employee]  condition: {match: {expr: R.attr.owner == P.id}}
--     - name: direct_manager  parentRoles: [manager]   condition: {match: {any: {of: [
--         {expr: R.attr.geography == P.attr.geography}, {expr: R.attr.geography in P.attr.managed_geographies}]}}}
--   resourcePolicy: resource: leave_request  importDerivedRoles: [leave]
--     - {actions: [create, view], derivedRoles: [owner], effect: EFFECT_ALLOW}
--     - {actions: [view], derivedRoles: [direct_manager], effect: EFFECT_ALLOW}
--     - {actions: [approve], derivedRoles: [direct_manager], effect: EFFECT_ALLOW,
--        condition: {match: {expr: R.attr.status == "PENDING_APPROVAL"}}}
--     - {actions: [approve], derivedRoles: [owner], effect: EFFECT_DENY}
-- A derived role becomes a function. The application sends Cerbos the attributes of a resource. Yett has the request
-- and documents: the attributes of a new resource are in the body, those of the others in a document here.
local staff = data "staff.json"
local requests = data "leave_requests.json"

local function is(r, wanted)
  local person = optional(staff, r.principal.id, nil)
  if person == nil then return false end
  for _, role in ipairs(person.roles) do
    if role == wanted then return true, person end
  end
  return false
end

local function owner(r, leave) return is(r, "employee") and leave.owner == r.principal.id end

local function direct_manager(r, leave)
  local manager, person = is(r, "manager")
  if not manager then return false end
  if leave.geography == person.geography then return true end
  for _, geography in ipairs(person.managed_geographies) do
    if leave.geography == geography then return true end
  end
  return false
end

policy "leave requests" {
  allow "owners create" {
    principal = authenticated,
    method    = "POST",
    path      = "/leave-requests",
    when      = function(r) return owner(r, r.body.json) end,
  },

  allow "owners and direct managers view" {
    principal = authenticated,
    method    = "GET",
    path      = "/leave-requests/{id}",
    when      = function(r)
      local leave = requests[r.params.id]
      return owner(r, leave) or direct_manager(r, leave)
    end,
  },

  allow "direct managers approve" {
    principal = authenticated,
    method    = "POST",
    path      = "/leave-requests/{id}/approve",
    when      = function(r)
      local leave = requests[r.params.id]
      return leave.status == "PENDING_APPROVAL" and direct_manager(r, leave)
    end,
  },

  deny "nobody approves an own request" {
    method        = "POST",
    path          = "/leave-requests/{id}/approve",
    when          = function(r) return owner(r, requests[r.params.id]) end,
    public_reason = "somebody else must approve this",
  },
}
