local web = "spiffe://cluster.local/ns/shop/sa/web"

test "a cart" { principal = web, request = { path = "/store/books/cart" }, expect = allowed "carts" }
test "a cart further down" {
  principal = web,
  request = { method = "POST", path = "/store/eu/books/cart" },
  expect = allowed "carts",
}
test "not the cart of no store" { principal = web, request = { path = "/store/cart" }, expect = denied.by_default }
test "not below a cart" { principal = web, request = { path = "/store/books/cart/1" }, expect = denied.by_default }
test "not another namespace" {
  principal = "spiffe://cluster.local/ns/default/sa/web",
  request = { path = "/store/books/cart" },
  expect = denied.by_default,
}
test "an item" { principal = web, request = { path = "/store/books/items/7" }, expect = allowed "items" }
test "not a part of an item" {
  principal = web,
  request = { path = "/store/books/items/7/price" },
  expect = denied.by_default,
}
test "nobody changes an item" {
  principal = web,
  request = { method = "PUT", path = "/store/books/items/7" },
  expect = denied "items are read-only",
}
test "a text" { request = { host = "static.example.org", path = "/robots.txt" }, expect = allowed "texts" }
test "a text in a folder" {
  request = { host = "static.example.org", path = "/a/b/license.txt" },
  expect = allowed "texts",
}
test "not another file" {
  request = { host = "static.example.org", path = "/a/b/license.txt.bak" },
  expect = denied.by_default,
}
test "not of another host" { request = { host = "shop.example.org", path = "/robots.txt" }, expect = denied.by_default }
test "nobody else sees items" {
  principal = "spiffe://cluster.local/ns/default/sa/web",
  request = { path = "/store/books/items/7" },
  expect = denied.by_default,
}
