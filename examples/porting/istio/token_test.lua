local gateway = "spiffe://cluster.local/ns/istio-system/sa/gateway"
local auditor = "eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUub3JnIiwic3ViIjoiYW5uIiwiZ3JvdXBzIjpbInN0YWZmIiwiYXVkaXRvcnMiXX0"
local staff = "eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUub3JnIiwic3ViIjoiYm9iIiwiZ3JvdXBzIjpbInN0YWZmIl19"
local foreign = "eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSIsInN1YiI6ImFubiIsImdyb3VwcyI6WyJhdWRpdG9ycyJdfQ"
local function with(payload)
  return { host = "reports.example.org", path = "/2026/q3", headers = { ["x-jwt-payload"] = payload } }
end

test "an auditor reads" { principal = gateway, request = with(auditor), expect = allowed "analysts and auditors read" }
test "staff does not" { principal = gateway, request = with(staff), expect = denied.by_default }
test "not with a token of another issuer" { principal = gateway, request = with(foreign), expect = denied.by_default }
test "not with half a payload" { principal = gateway, request = with "eyJpc3M", expect = denied.by_default }
test "nobody else passes claims" {
  principal = "spiffe://cluster.local/ns/default/sa/sleep",
  request = with(auditor),
  expect = denied.by_default,
}
test "nobody without a token" {
  principal = gateway,
  request = { host = "reports.example.org", path = "/2026/q3" },
  expect = denied "reports need a token",
}
test "health needs no token" {
  request = { host = "reports.example.org", path = "/healthz" },
  expect = allowed "health",
}
test "health is no folder" {
  request = { host = "reports.example.org", path = "/healthz/x" },
  expect = denied "reports need a token",
}
test "an auditor changes nothing" {
  principal = gateway,
  request = {
    method = "PUT", host = "reports.example.org", path = "/2026/q3",
    headers = { ["x-jwt-payload"] = auditor },
  },
  expect = denied.by_default,
}
