test "the node may look" { request = { path = "/healthz" }, source = "127.0.0.1", expect = allowed "the node checks health" }
test "the node may look over IPv6" { request = { path = "/readyz" }, source = "::1", expect = allowed "the node checks health" }
test "an IPv4 address in IPv6 is the same" { request = { path = "/livez" }, source = "::ffff:127.0.0.1", expect = allowed "the node checks health" }
test "another machine may not" { request = { path = "/healthz" }, source = "10.0.0.7", expect = denied "health is for the node" }
test "a service may not either" {
  principal = "spiffe://example.org/ns/shop/sa/frontend",
  request = { path = "/healthz" },
  source = "10.0.0.7",
  expect = denied "health is for the node",
}
test "the node may not post" { request = { method = "POST", path = "/healthz" }, source = "127.0.0.1", expect = denied.by_default }
