local oncall = "spiffe://example.org/ns/oncall/sa/mia"

test "before its end the glass is open" { principal = oncall, request = { path = "/api/orders", method = "DELETE" }, time = 1699999999, expect = allowed "on-call while the glass is broken" }
test "from its end on it is closed" { principal = oncall, request = { path = "/api/orders", method = "DELETE" }, time = 1700000000, expect = denied.by_default }
test "it is for those on call" { principal = "spiffe://example.org/ns/shop/sa/mia", request = { path = "/x" }, time = 1, expect = denied.by_default }
test "it opens no dangerous path" { principal = oncall, request = { path = "/.git/config" }, time = 1, expect = denied "dot files are closed" }
