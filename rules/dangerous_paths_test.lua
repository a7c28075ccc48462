local frontend = "spiffe://example.org/ns/shop/sa/frontend"

test "a dot file at the root is closed" {
  principal = frontend,
  http = "GET /.env HTTP/1.1\r\nHost: shop\r\n\r\n",
  expect = denied "dot files are closed",
}
test "a dot folder deep down is closed" { principal = frontend, request = { path = "/a/b/.git/config" }, expect = denied "dot files are closed" }
test "an encoded dot is a dot" { principal = frontend, request = { path = "/%2Egit/config" }, expect = denied "dot files are closed" }
test "well-known is open for other rules" { principal = frontend, request = { path = "/.well-known/security.txt" }, expect = denied.by_default }
test "debug is closed" { principal = frontend, request = { path = "/debug/pprof/heap" }, expect = denied "debug endpoints are closed" }
test "debug with a slash is closed" { principal = frontend, request = { path = "/debug/" }, expect = denied "debug endpoints are closed" }
test "a backup is closed" { principal = frontend, request = { path = "/api/index.php.bak" }, expect = denied "backups are closed" }
test "an editor's copy is closed" { principal = frontend, request = { path = "/api/config~" }, expect = denied "backups are closed" }
test "TRACE is closed" { principal = frontend, request = { method = "TRACE", path = "/api/orders" }, expect = denied "tracing methods are closed" }
test "two dots never reach policy as dots" { principal = frontend, request = { path = "/api/../debug/x" }, expect = denied "debug endpoints are closed" }
