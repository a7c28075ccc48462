local gateway = "spiffe://e.org/gateway"
local function by(factors, groups, client)
  return { ["x-user"] = "ann", ["x-factors"] = factors, ["x-groups"] = groups, ["x-forwarded-for"] = client }
end

test "public needs no login" {
  principal = gateway,
  request = { host = "public.example.org", path = "/" },
  expect = allowed "public",
}
test "but comes through the gateway" {
  request = { host = "public.example.org", path = "/" },
  expect = denied.by_default,
}
test "a preflight needs no login" {
  principal = gateway,
  request = { method = "OPTIONS", host = "mail.example.org", path = "/inbox" },
  expect = allowed "preflights",
}
test "anything else does" {
  principal = gateway,
  request = { host = "mail.example.org", path = "/inbox" },
  expect = denied "log in first",
}
test "one factor is enough from inside" {
  principal = gateway, forwarder = true,
  request = { host = "secure.example.org", path = "/a", headers = by("1", "staff", "10.10.3.4") },
  expect = allowed "secure from inside",
}
test "but not from outside" {
  principal = gateway, forwarder = true,
  request = { host = "secure.example.org", path = "/a", headers = by("1", "staff", "192.0.2.1") },
  expect = denied.by_default,
}
test "not for who claims to be inside" {
  principal = gateway, forwarder = true,
  request = { host = "secure.example.org", path = "/a", headers = by("1", "staff", "10.10.3.4, 192.0.2.1") },
  expect = denied.by_default,
}
test "two factors are, from anywhere" {
  principal = gateway, forwarder = true,
  request = { host = "secure.example.org", path = "/a", headers = by("2", "staff", "192.0.2.1") },
  expect = allowed "secure",
}
test "a moderator opens the rest" {
  principal = gateway,
  request = { host = "wiki.example.org", path = "/a", headers = by("2", "staff,moderators") },
  expect = allowed "admins and moderators",
}
test "not with one factor" {
  principal = gateway,
  request = { host = "wiki.example.org", path = "/a", headers = by("1", "staff,moderators") },
  expect = denied.by_default,
}
test "not with a group that only sounds so" {
  principal = gateway,
  request = { host = "wiki.example.org", path = "/a", headers = by("2", "staff,sysadmins") },
  expect = denied.by_default,
}
test "a contractor reads no mail, even as an admin" {
  principal = gateway,
  request = { host = "mail.example.org", path = "/inbox", headers = by("2", "admins, contractors") },
  expect = denied "no mail for contractors",
}
test "an earlier bypass stays open for him" {
  principal = gateway,
  request = { method = "OPTIONS", host = "mail.example.org", path = "/inbox", headers = by("2", "contractors") },
  expect = allowed "preflights",
}
test "nobody but the gateway says who a user is" {
  principal = "spiffe://e.org/blog",
  request = { host = "wiki.example.org", path = "/a", headers = by("2", "admins") },
  expect = denied.by_default,
}
test "who is no contractor reads mail" {
  principal = gateway,
  request = { host = "mail.example.org", path = "/inbox", headers = by("2", "admins") },
  expect = allowed "admins and moderators",
}
test "inside, a login is still needed" {
  principal = gateway, forwarder = true,
  request = { host = "secure.example.org", path = "/a", headers = by(nil, nil, "10.10.3.4") },
  expect = denied.by_default,
}
test "not at secure either" {
  principal = "spiffe://e.org/blog", forwarder = true,
  request = { host = "secure.example.org", path = "/a", headers = by("2", "admins", "10.10.3.4") },
  expect = denied.by_default,
}
