local frontend = "spiffe://example.org/ns/shop/sa/frontend"
local admin = "spiffe://example.org/ns/backoffice/sa/admin"

test "a reader reads" { principal = frontend, http = "GET /api/orders?page=2 HTTP/1.1\r\nHost: shop\r\n\r\n", expect = allowed "readers read" }
test "a reader does not write" { principal = frontend, request = { method = "POST", path = "/api/orders", body = "{}" }, expect = denied.by_default }
test "an editor writes" { principal = admin, request = { method = "DELETE", path = "/api/orders/42" }, expect = allowed "editors write" }
test "an editor reads" { principal = admin, request = { path = "/api/orders/42" }, expect = allowed "editors write" }
test "somebody without a role does not read" { principal = "spiffe://example.org/ns/shop/sa/other", request = { path = "/api/orders" }, expect = denied.by_default }
test "another trust domain has no roles" { principal = "spiffe://other.org/ns/shop/sa/frontend", request = { path = "/api/orders" }, expect = denied.by_default }
test "nobody reads anonymously" { request = { path = "/api/orders" }, expect = denied.by_default }
test "nobody brings a role of his own" {
  principal = frontend,
  request = { path = "/api/orders", headers = { ["x-role"] = "editor" } },
  expect = allowed "readers read",
}
