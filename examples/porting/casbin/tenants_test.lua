local alice = "spiffe://e.org/alice"
local bob = "spiffe://e.org/bob"

test "an admin of acme writes there" {
  principal = alice,
  request = { method = "PUT", path = "/tenants/acme/invoices" },
  expect = allowed "a role of the tenant grants it",
}
test "and only reads at globex" {
  principal = alice,
  request = { method = "PUT", path = "/tenants/globex/invoices" },
  expect = denied.by_default,
}
test "where she is a reader" {
  principal = alice,
  request = { path = "/tenants/globex/invoices" },
  expect = allowed "a role of the tenant grants it",
}
test "an admin reads salaries" { principal = alice, request = { path = "/tenants/acme/salaries" }, expect = allowed }
test "one who is an intern too does not" {
  principal = bob,
  request = { path = "/tenants/acme/salaries" },
  expect = denied "a role of the tenant forbids it",
}
test "a role ends with its tenant" {
  principal = bob,
  request = { path = "/tenants/globex/invoices" },
  expect = denied.by_default,
}
test "there is no such tenant" {
  principal = alice,
  request = { path = "/tenants/initech/invoices" },
  expect = denied.by_default,
}
test "nobody is anonymous" { request = { path = "/tenants/acme/invoices" }, expect = denied.by_default }
