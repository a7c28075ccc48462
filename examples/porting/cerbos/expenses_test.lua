local olga = "spiffe://e.org/finance/olga"
local sam = "spiffe://e.org/sales/sam"
local created = 1784100000
local function create(owner, amount)
  local body = '{"ownerId": "' .. owner .. '", "amount": ' .. amount .. '}'
  return { method = "POST", path = "/expenses", headers = { ["content-type"] = "application/json" }, body = body }
end
local function delete(id) return { method = "DELETE", path = "/expenses/" .. id } end

test "sales creates up to the limit" {
  principal = sam,
  request = create(sam, "1000"),
  expect = allowed "sales creates small ones",
}
test "and not above it" { principal = sam, request = create(sam, "1000.01"), expect = denied.by_default }
test "nor for others" { principal = sam, request = create(olga, "1"), expect = denied.by_default }
test "an amount as text is none" { principal = sam, request = create(sam, '"1"'), expect = denied.by_default }
test "finance has no limit" {
  principal = olga,
  request = create(olga, "50000"),
  expect = allowed "finance creates any",
}
test "an owner deletes within an hour" {
  principal = sam, time = created + 3599,
  request = delete "12",
  expect = allowed "owners delete new ones",
}
test "not after an hour" { principal = sam, time = created + 3600, request = delete "12", expect = denied.by_default }
test "not of others" { principal = sam, time = created, request = delete "11", expect = denied.by_default }
test "not once approved" { principal = sam, time = created, request = delete "13", expect = denied.by_default }
test "not what is not known" { principal = sam, time = created, request = delete "14", expect = denied.by_default }
test "who is in neither creates none" {
  principal = "spiffe://e.org/legal/lea",
  request = create("spiffe://e.org/legal/lea", "1"),
  expect = denied.by_default,
}
