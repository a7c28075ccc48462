local cart = "spiffe://e.org/shop/cart"
local function version(v) return { path = "/shop/items/1", headers = { ["x-api-version"] = v } } end

test "anyone reads" { request = version "2", expect = allowed "the rest" }
test "the shop writes" {
  principal = cart,
  request = { method = "POST", path = "/shop/orders" },
  expect = allowed "the rest",
}
test "nobody else writes" {
  principal = "spiffe://e.org/blog",
  request = { method = "POST", path = "/shop/orders" },
  expect = denied "changes from outside",
}
test "nobody writes anonymously" {
  request = { method = "DELETE", path = "/SHOP/orders/1" },
  expect = denied "changes from outside",
}
test "an old client is only recorded" { request = version "1", expect = allowed "the rest" }
test "so is one that does not say" { request = { path = "/shop/items/1" }, expect = allowed "the rest" }
test "what is outside of the shop is not open" { request = { path = "/shopping" }, expect = denied.by_default }
