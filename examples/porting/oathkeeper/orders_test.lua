local gateway = "spiffe://e.org/gateway"
local function by(subject) return { ["x-session-subject"] = subject, ["x-user"] = "root" } end

test "ann reads an order" {
  principal = gateway,
  request = { host = "shop.example.org", path = "/orders/42", headers = by "ann" },
  expect = allowed "orders",
  sets = { ["x-user"] = "ann", ["x-order"] = "42" },
}
test "a query does not matter" {
  principal = gateway,
  request = { method = "PATCH", host = "shop.example.org", path = "/orders/7?notify=1", headers = by "bob" },
  expect = allowed "orders",
  sets = { ["x-user"] = "bob", ["x-order"] = "7" },
}
test "an order is a number" {
  principal = gateway,
  request = { host = "shop.example.org", path = "/orders/42a", headers = by "ann" },
  expect = denied.by_default,
}
test "not below an order" {
  principal = gateway,
  request = { host = "shop.example.org", path = "/orders/42/items", headers = by "ann" },
  expect = denied.by_default,
}
test "not by another method" {
  principal = gateway,
  request = { method = "DELETE", host = "shop.example.org", path = "/orders/42", headers = by "ann" },
  expect = denied.by_default,
}
test "nobody without a session" {
  principal = gateway,
  request = { host = "shop.example.org", path = "/orders/42", headers = { ["x-user"] = "root" } },
  expect = denied.by_default,
}
test "not over http" {
  scheme = "http",
  request = { host = "shop.example.org", path = "/orders/42", headers = by "ann" },
  expect = denied.by_default,
}
test "nobody but the gateway knows sessions" {
  principal = "spiffe://e.org/blog",
  request = { host = "shop.example.org", path = "/orders/42", headers = by "ann" },
  expect = denied.by_default,
}
