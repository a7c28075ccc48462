test "a service reads an order" { principal = "spiffe://example.org/ns/shop/sa/frontend", request = { path = "/orders/42" }, expect = allowed "services read orders" }
test "nobody else does" { request = { path = "/orders/42" }, expect = denied.by_default }
