local gateway = "spiffe://e.org/gateway"
local function by(user, groups, factors)
  return { ["x-user"] = user, ["x-groups"] = groups, ["x-factors"] = factors }
end

test "john is at home" {
  principal = gateway,
  request = { host = "john.home.example.net", path = "/a", headers = by("John", "dev", "1") },
  expect = allowed "everybody has a home",
}
test "but not at fred's" {
  principal = gateway,
  request = { host = "fred.home.example.net", path = "/a", headers = by("john", "dev", "1") },
  expect = denied.by_default,
}
test "nor below his own" {
  principal = gateway,
  request = { host = "x.john.home.example.net", path = "/a", headers = by("john", "dev", "1") },
  expect = denied.by_default,
}
test "nobody without a name" {
  principal = gateway,
  request = { host = "john.home.example.net", path = "/a", headers = { ["x-factors"] = "1" } },
  expect = denied.by_default,
}
test "a group has a folder" {
  principal = gateway,
  request = { host = "dev.example.net", path = "/groups/ops", headers = by("mia", "dev, ops", "1") },
  expect = allowed "groups have a folder",
}
test "others do not see it" {
  principal = gateway,
  request = { host = "dev.example.net", path = "/groups/ops/plan", headers = by("mia", "dev,devops", "1") },
  expect = denied.by_default,
}
test "john sees his" {
  principal = gateway,
  request = { host = "dev.example.net", path = "/users/john/a", headers = by("john", "dev", "2") },
  expect = allowed "john's folder is his and the admins'",
}
test "only as one of dev" {
  principal = gateway,
  request = { host = "dev.example.net", path = "/users/john/a", headers = by("john", "ops", "2") },
  expect = denied.by_default,
}
test "only with two factors" {
  principal = gateway,
  request = { host = "dev.example.net", path = "/users/john/a", headers = by("john", "dev", "1") },
  expect = denied.by_default,
}
test "an admin sees it" {
  principal = gateway,
  request = { host = "dev.example.net", path = "/users/john/a", headers = by("root", "admins", "2") },
  expect = allowed "john's folder is his and the admins'",
}
test "nobody else does" {
  principal = gateway,
  request = { host = "dev.example.net", path = "/users/john/a", headers = by("fred", "dev", "2") },
  expect = denied.by_default,
}

for path, host in pairs {
  ["/a"]           = "john.home.example.net",
  ["/groups/dev"]  = "dev.example.net",
  ["/users/john/"] = "dev.example.net",
} do
  test("john must log in for " .. path) {
    principal = gateway,
    request = { host = host, path = path, headers = by("john", "dev") },
    expect = denied.by_default,
  }
  test("nobody but the gateway opens " .. path) {
    principal = "spiffe://e.org/blog",
    request = { host = host, path = path, headers = by("john", "dev", "2") },
    expect = denied.by_default,
  }
end
