test "an admin writes" { principal = "spiffe://e.org/alice", request = { method = "POST", path = "/alice/1" }, expect = allowed "a role grants it" }
test "and deletes nothing" { principal = "spiffe://e.org/alice", request = { method = "DELETE", path = "/alice/1" }, expect = denied.by_default }
test "a reader reads" { principal = "spiffe://e.org/bob", request = { path = "/reports/2026/q3" }, expect = allowed }
test "and nothing else" { principal = "spiffe://e.org/bob", request = { path = "/reportsecret" }, expect = denied.by_default }
test "nobody without a role" { principal = "spiffe://e.org/eve", request = { path = "/reports/1" }, expect = denied.by_default }
