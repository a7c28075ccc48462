local alice = "spiffe://e.org/alice"
local mia = "spiffe://e.org/mia"    -- a manager in DE, and of GB
local noah = "spiffe://e.org/noah"  -- a manager in GB
local zoe = "spiffe://e.org/zoe"    -- a manager in FR, and of IT
local function create(body)
  return { method = "POST", path = "/leave-requests", headers = { ["content-type"] = "application/json" }, body = body }
end
local function approve(id) return { method = "POST", path = "/leave-requests/" .. id .. "/approve" } end

test "alice asks for leave" {
  principal = alice,
  request = create '{"owner": "spiffe://e.org/alice", "days": 3}',
  expect = allowed "owners create",
}
test "not for others" {
  principal = alice,
  request = create '{"owner": "spiffe://e.org/mia", "days": 3}',
  expect = denied.by_default,
}
test "not for nobody" { principal = alice, request = create '{"days": 3}', expect = denied.by_default }
test "nobody from outside asks" {
  principal = "spiffe://e.org/eve",
  request = create '{"owner": "spiffe://e.org/eve"}',
  expect = denied.by_default,
}
test "alice views hers" {
  principal = alice,
  request = { path = "/leave-requests/1" },
  expect = allowed "owners and direct managers view",
}
test "and not mia's" { principal = alice, request = { path = "/leave-requests/3" }, expect = denied.by_default }
test "a manager of GB views it" { principal = mia, request = { path = "/leave-requests/1" }, expect = allowed }
test "a manager in GB does" { principal = noah, request = { path = "/leave-requests/1" }, expect = allowed }
test "another manager does not" {
  principal = zoe,
  request = { path = "/leave-requests/1" },
  expect = denied.by_default,
}
test "a manager of GB approves it" {
  principal = mia,
  request = approve "1",
  expect = allowed "direct managers approve",
}
test "another manager does not approve it" { principal = zoe, request = approve "1", expect = denied.by_default }
test "a draft cannot be approved" { principal = mia, request = approve "2", expect = denied.by_default }
test "a manager of her own country approves nothing of hers" {
  principal = mia,
  request = approve "3",
  expect = denied "nobody approves an own request",
}
test "what is not known is nobody's, and in doubt a deny applies" {
  principal = mia,
  request = approve "4",
  expect = denied "nobody approves an own request",
}
