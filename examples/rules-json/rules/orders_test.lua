local frontend = "spiffe://example.org/ns/shop/sa/frontend"
local mia = "spiffe://example.org/ns/support/sa/mia"

test "frontend reads an order" { principal = frontend, request = { path = "/orders/42" }, expect = allowed "frontend reads orders" }
test "debug is closed" { principal = frontend, request = { path = "/debug/vars" }, expect = denied "debug is closed" }
test "support reads orders of its region" { principal = mia, request = { path = "/orders/42", headers = { ["x-region"] = "eu" } }, expect = allowed "support reads orders of eu" }
test "support names an order by its number" { principal = mia, request = { path = "/orders/all", headers = { ["x-region"] = "eu" } }, expect = denied.by_default }
