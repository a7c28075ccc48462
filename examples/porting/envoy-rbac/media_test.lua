local encoder = "spiffe://media.example.org/encoder/7"
local function put(headers) return { method = "PUT", path = "/live/one/hd/0001.m4s", headers = headers } end

test "a segment" { request = { path = "/live/one/hd/0001.m4s" }, expect = allowed "players" }
test "a manifest at any depth" { request = { path = "/content/2026/in/dash/55/show.mpd" }, expect = allowed "players" }
test "a manifest at the top" { request = { path = "/content/show.mpd" }, expect = allowed "players" }
test "a segment has its depth" { request = { path = "/live/one/0001.m4s" }, expect = denied.by_default }
test "not another ending" { request = { path = "/content/2026/show.mpd.key" }, expect = denied.by_default }
test "not from the closed network" {
  source = "203.0.113.80",
  request = { path = "/live/one/hd/0001.m4s" },
  expect = denied.by_default,
}
test "an encoder writes" { principal = encoder, request = put(), expect = allowed "encoders" }
test "not a dry run" { principal = encoder, request = put { ["x-dry-run"] = "" }, expect = denied.by_default }
test "a player does not write" { request = put(), expect = denied.by_default }
test "nor does another workload" {
  principal = "spiffe://media.example.org/encoders",
  request = put(),
  expect = denied.by_default,
}
test "an encoder deletes nothing" {
  principal = encoder,
  request = { method = "DELETE", path = "/live/one/hd/0001.m4s" },
  expect = denied.by_default,
}
test "nor writes elsewhere" {
  principal = encoder,
  request = { method = "PUT", path = "/content/2026/show.mpd" },
  expect = denied.by_default,
}
