local envoy = "spiffe://e.org/envoy"
local guest = "eyJzdWIiOiJhbm4iLCJyb2xlIjoiZ3Vlc3QifQ"
local admin = "eyJzdWIiOiJib2IiLCJyb2xlIjoiYWRtaW4ifQ"
local function read(claims) return { path = "/people/7", headers = { ["x-jwt-payload"] = claims } } end
local function create(claims, body)
  local headers = { ["x-jwt-payload"] = claims, ["content-type"] = "application/json" }
  return { method = "POST", path = "/people", headers = headers, body = body }
end

test "a guest reads" { principal = envoy, request = read(guest), expect = allowed "guests and admins read" }
test "an admin reads" { principal = envoy, request = read(admin), expect = allowed "guests and admins read" }
test "nobody brings claims of his own" {
  principal = "spiffe://e.org/web",
  request = read(admin),
  expect = denied.by_default,
}
test "an admin creates" {
  principal = envoy,
  request = create(admin, '{"firstname": "Ann"}'),
  expect = allowed "admins create others",
}
test "but not himself" {
  principal = envoy,
  request = create(admin, '{"firstname": "Bob"}'),
  expect = denied.by_default,
}
test "not with two names" {
  principal = envoy,
  request = create(admin, '{"firstname": "Ann", "firstname": "Bob"}'),
  expect = denied.by_default,
}
test "not with two spellings" {
  principal = envoy,
  request = create(admin, '{"firstname": "Ann", "firstName": "Bob"}'),
  expect = denied.by_default,
}
test "a guest does not create" {
  principal = envoy,
  request = create(guest, '{"firstname": "Cy"}'),
  expect = denied.by_default,
}
test "nor creates with them" {
  principal = "spiffe://e.org/web",
  request = create(admin, '{"firstname": "Ann"}'),
  expect = denied.by_default,
}
