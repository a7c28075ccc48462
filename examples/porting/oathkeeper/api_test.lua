local gateway = "spiffe://e.org/gateway"
local issuer = "eyJpc3MiOiJodHRwczovL2lkLmUub3JnLyIsInN1YiI6ImFubiIs"  -- {"iss":"https://id.e.org/","sub":"ann",
local function token(payload) return { authorization = "Bearer h." .. payload .. ".s" } end
local function ask(method, path, headers)
  return { method = method, host = "api.example.org", path = path, headers = headers }
end

-- "aud":["api","web"],"scope":"profile openid","roles":["dev","ops"]}
local dev = token(issuer .. "ImF1ZCI6WyJhcGkiLCJ3ZWIiXSwic2NvcGUiOiJwcm9maWxlIG9wZW5pZCIs" ..
                  "InJvbGVzIjpbImRldiIsIm9wcyJdfQ")
-- "aud":["web"],"scope":"profile","roles":["dev"]}
local other = token(issuer .. "ImF1ZCI6WyJ3ZWIiXSwic2NvcGUiOiJwcm9maWxlIiwicm9sZXMiOlsiZGV2Il19")
-- "aud":"api","scope":"profiles","roles":["dev"]}
local unscoped = token(issuer .. "ImF1ZCI6ImFwaSIsInNjb3BlIjoicHJvZmlsZXMiLCJyb2xlcyI6WyJkZXYiXX0")
-- "aud":"api","scope":"profile","roles":["dev\r\nx-admin: 1"]}
local lines = token(issuer .. "ImF1ZCI6ImFwaSIsInNjb3BlIjoicHJvZmlsZSIsInJvbGVzIjpbImRldlxyXG54LWFkbWluOiAxIl19")
-- "aud":"api","scope":"profile"}
local no_roles = token(issuer .. "ImF1ZCI6ImFwaSIsInNjb3BlIjoicHJvZmlsZSJ9")
-- {"iss":"https://evil.net/","sub":"ann","aud":"api","scope":"profile","roles":["dev"]}
local foreign = token("eyJpc3MiOiJodHRwczovL2V2aWwubmV0LyIsInN1YiI6ImFubiIsImF1ZCI6" ..
                      "ImFwaSIsInNjb3BlIjoicHJvZmlsZSIsInJvbGVzIjpbImRldiJdfQ")

test "ann reads her profile" {
  principal = gateway,
  request = ask("GET", "/v1/users/ann", dev),
  expect = allowed "profiles",
  sets = { ["x-user"] = "ann", ["x-roles"] = "dev,ops" },
}
test "and changes a team" {
  principal = gateway,
  request = ask("PUT", "/v1/teams/7/name", dev),
  expect = allowed "profiles",
}
test "nothing else" { principal = gateway, request = ask("GET", "/v1/keys/7", dev), expect = denied.by_default }
test "not by another method" {
  principal = gateway,
  request = ask("POST", "/v1/users/x", dev),
  expect = denied.by_default,
}
test "not with a token for others" {
  principal = gateway,
  request = ask("GET", "/v1/users/ann", other),
  expect = denied.by_default,
}
test "not with a scope that only begins so" {
  principal = gateway,
  request = ask("GET", "/v1/users/ann", unscoped),
  expect = denied.by_default,
}
test "not with a token of another issuer" {
  principal = gateway,
  request = ask("GET", "/v1/users/ann", foreign),
  expect = denied.by_default,
}
test "not without a token" { principal = gateway, request = ask("GET", "/v1/users/ann"), expect = denied.by_default }
test "a role cannot add a header" {
  principal = gateway,
  request = ask("GET", "/v1/users/ann", lines),
  expect = denied.by_default,
}
test "without roles there is no header of roles" {
  principal = gateway,
  request = ask("GET", "/v1/users/ann", no_roles),
  expect = denied.by_default,
}
test "a preflight needs no token" {
  principal = gateway,
  request = ask("OPTIONS", "/v1/users/ann"),
  expect = allowed "preflight",
}
test "nobody but the gateway verifies tokens" {
  principal = "spiffe://e.org/blog",
  request = ask("GET", "/v1/users/ann", dev),
  expect = denied.by_default,
}
