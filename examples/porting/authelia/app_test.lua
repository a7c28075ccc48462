local gateway = "spiffe://e.org/gateway"
local function ask(path, method, headers)
  return { method = method or "GET", host = "app.example.net", path = path, headers = headers }
end
local login = { ["x-user"] = "ann", ["x-groups"] = "dev", ["x-factors"] = "1" }

test "the api is open to read" {
  principal = gateway,
  request = ask "/api/v1/items?all=1",
  expect = allowed "reading the api",
}
test "its root too" { principal = gateway, request = ask "/api?all=1", expect = allowed "reading the api" }
test "what begins with api is not" { principal = gateway, request = ask "/apis", expect = denied.by_default }
test "writing needs a login" { principal = gateway, request = ask("/api/v1/items", "POST"), expect = denied.by_default }
test "and has it" {
  principal = gateway,
  request = ask("/api/v1/items", "POST", login),
  expect = allowed "whoever logged in",
}
test "the api of admins is closed to all" {
  principal = gateway,
  request = ask("/api/Admin/users", "GET", login),
  expect = denied "the api of admins is closed",
}
test "a preview" { principal = gateway, request = ask "/docs/a/intro.html?preview", expect = allowed "previews" }
test "not to debug" {
  principal = gateway,
  request = ask "/docs/intro.html?preview=1&debug=0",
  expect = denied.by_default,
}
test "not in another spelling" {
  principal = gateway,
  request = ask "/docs/intro.html?preview&Debug=1",
  expect = denied.by_default,
}
test "not of another file" { principal = gateway, request = ask "/docs/intro.pdf?preview", expect = denied.by_default }
test "a page in German" {
  principal = gateway,
  request = ask "/docs/intro.html?lang=de",
  expect = allowed "pages in a language",
}
test "not in another language" {
  principal = gateway,
  request = ask "/docs/intro.html?lang=den",
  expect = denied.by_default,
}
test "with a page" {
  principal = gateway,
  request = ask "/docs/intro.html?lang=en&page=2",
  expect = allowed "pages in a language",
}
test "not raw" { principal = gateway, request = ask "/docs/intro.html?lang=en&page=raw", expect = denied.by_default }
test "not raw in a second value" {
  principal = gateway,
  request = ask "/docs/intro.html?lang=en&page=2&page=raw",
  expect = denied.by_default,
}

for _, path in ipairs { "/", "/api/v1", "/docs/intro.html?preview", "/docs/intro.html?lang=de" } do
  test("nobody but the gateway opens " .. path) {
    principal = "spiffe://e.org/blog",
    request = ask(path, "GET", login),
    expect = denied.by_default,
  }
end
