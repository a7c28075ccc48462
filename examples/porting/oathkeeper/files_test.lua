local gateway = "spiffe://e.org/gateway"
local function ask(path, subject)
  return { host = "files.example.org", path = path, headers = { ["x-session-subject"] = subject } }
end

test "a guest gets an asset" {
  principal = gateway,
  request = ask "/static/themes/dark.css",
  expect = allowed "assets",
  sets = { ["x-user"] = "guest" },
}
test "ann gets it as ann" {
  principal = gateway,
  request = ask("/static/app.js", "ann"),
  expect = allowed "assets",
  sets = { ["x-user"] = "ann" },
}
test "not another file" { principal = gateway, request = ask "/static/app.js.map", expect = denied.by_default }
test "what is internal is closed" {
  principal = gateway,
  request = ask("/static/internal/a.js", "ann"),
  expect = denied "internal",
}
test "in any case" { principal = gateway, request = ask("/static/INTERNAL/a.js", "ann"), expect = denied "internal" }
test "what begins so is not internal" {
  principal = gateway,
  request = ask "/static/internals.js",
  expect = allowed "assets",
}
test "ann reads a report of her team" {
  principal = gateway,
  request = ask("/reports/finance/2026/q3.pdf", "ann"),
  expect = allowed "reports of the own team",
  sets = { ["x-user"] = "ann" },
}
test "not of another team" {
  principal = gateway,
  request = ask("/reports/sales/2026/q3.pdf", "ann"),
  expect = denied.by_default,
}
test "there is no such team" {
  principal = gateway,
  request = ask("/reports/hr/q3.pdf", "ann"),
  expect = denied.by_default,
}
test "a guest reads none" { principal = gateway, request = ask "/reports/finance/q3.pdf", expect = denied.by_default }
test "nobody but the gateway knows sessions" {
  request = ask("/reports/finance/q3.pdf", "ann"),
  expect = denied.by_default,
}
test "nor gets assets" {
  principal = "spiffe://e.org/blog",
  request = ask("/static/app.js", "ann"),
  expect = denied.by_default,
}
test "nobody writes a report" {
  principal = gateway,
  request = {
    method = "PUT", host = "files.example.org", path = "/reports/finance/q3.pdf",
    headers = { ["x-session-subject"] = "ann" },
  },
  expect = denied.by_default,
}
