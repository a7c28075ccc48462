local gateway = "spiffe://e.org/gateway"
local alice = "Bearer h.eyJzdWIiOiJhbGljZSIsInJvbGVzIjpbImRldiJdfQ.s"
local bob = "Bearer h.eyJzdWIiOiJib2IiLCJyb2xlcyI6WyJkZXYiLCJociJdfQ.s"

test "alice reads her salary" { principal = gateway, request = { path = "/finance/salary/alice", headers = { authorization = alice } }, expect = allowed "own salary" }
test "alice does not read bob's" { principal = gateway, request = { path = "/finance/salary/bob", headers = { authorization = alice } }, expect = denied.by_default }
test "hr reads alice's" { principal = gateway, request = { path = "/finance/salary/alice", headers = { authorization = bob } }, expect = allowed "hr reads salaries" }
test "nobody without a token" { principal = gateway, request = { path = "/finance/salary/alice" }, expect = denied.by_default }
test "nobody with half a token" { principal = gateway, request = { path = "/finance/salary/alice", headers = { authorization = "Bearer x" } }, expect = denied.by_default }
test "a grant" { principal = "spiffe://e.org/writer", request = { method = "PUT", path = "/docs/drafts/1" }, expect = allowed "granted" }
test "not beyond it" { principal = "spiffe://e.org/writer", request = { method = "PUT", path = "/docs/final/1" }, expect = denied.by_default }
test "not for others" { principal = "spiffe://e.org/reader", request = { path = "/docs/1" }, expect = denied.by_default }
