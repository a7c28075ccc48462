local gateway = "spiffe://cluster.local/ns/istio-system/sa/gateway"
local function from(addresses)
  return { host = "partner.example.org", path = "/stock", headers = { ["x-forwarded-for"] = addresses } }
end

test "a partner" {
  principal = gateway, source = "10.0.0.9", forwarder = true,
  request = from "192.0.2.17",
  expect = allowed "partners",
}
test "a partner by IPv6" {
  principal = gateway, source = "10.0.0.9", forwarder = true,
  request = from "2001:db8:7::1",
  expect = allowed "partners",
}
test "nobody else" {
  principal = gateway, source = "10.0.0.9", forwarder = true,
  request = from "198.51.100.1",
  expect = denied.by_default,
}
test "who claims to be a partner is none" {
  principal = gateway, source = "10.0.0.9", forwarder = true,
  request = from "192.0.2.17, 198.51.100.1",
  expect = denied.by_default,
}
test "the header counts from the gateway alone" {
  principal = gateway, source = "10.0.0.9",
  request = from "192.0.2.17",
  expect = denied.by_default,
}
test "nobody comes past the gateway" {
  principal = gateway, source = "192.0.2.17", forwarder = true,
  request = from "192.0.2.17",
  expect = denied "not past the gateway",
}
test "nor as another workload" {
  principal = "spiffe://cluster.local/ns/shop/sa/web", source = "10.0.0.9", forwarder = true,
  request = from "192.0.2.17",
  expect = denied.by_default,
}
