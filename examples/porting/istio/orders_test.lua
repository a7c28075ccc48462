local sleep = "spiffe://cluster.local/ns/default/sa/sleep"
local ops = "spiffe://cluster.local/ns/ops/sa/console"

test "sleep reads" { principal = sleep, request = { path = "/info/1", headers = { version = "v1" } }, expect = allowed "sleep and dev read" }
test "any account of dev reads" { principal = "spiffe://cluster.local/ns/dev/sa/x", request = { path = "/data/a/b", headers = { version = "v2" } }, expect = allowed }
test "not another version" { principal = sleep, request = { path = "/info/1", headers = { version = "v3" } }, expect = denied.by_default }
test "not without a version" { principal = sleep, request = { path = "/info/1" }, expect = denied.by_default }
test "not by POST" { principal = sleep, request = { method = "POST", path = "/info/1", headers = { version = "v1" } }, expect = denied.by_default }
test "admin is for ops" { principal = sleep, request = { path = "/admin/users" }, expect = denied "only ops administers" }
test "admin in another spelling too" { principal = sleep, request = { path = "/ADMIN/users" }, expect = denied "only ops administers" }
test "what begins with admin too" { principal = sleep, request = { path = "/administrator" }, expect = denied "only ops administers" }
test "ops administers" { principal = ops, request = { method = "DELETE", path = "/admin/users" }, expect = allowed "ops administers" }
test "nobody is anonymous" { request = { path = "/info/1", headers = { version = "v1" } }, expect = denied.by_default }
