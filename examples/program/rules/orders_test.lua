local frontend = "spiffe://example.org/ns/shop/sa/frontend"
local function order(body) return { method = "POST", path = "/orders/42", headers = { ["content-type"] = "application/json" }, body = body } end

test "reading is free" { principal = frontend, request = { path = "/orders/42" }, expect = allowed "decide" }
test "a small order passes" { principal = frontend, request = order '{"amount": 99}', expect = allowed "decide" }
test "a large one does not" { principal = frontend, request = order '{"amount": 101}', expect = denied "decide" }
test "two amounts are no amount" { principal = frontend, request = order '{"amount": 1, "amount": 999}', expect = denied "decide" }
test "no amount is an error, and an error refuses" { principal = frontend, request = order '{}', expect = denied "decide" }
test "text is no amount" { principal = frontend, request = order '{"amount": "1"}', expect = denied "decide" }
test "debug is closed" { principal = frontend, request = { path = "/debug/vars" }, expect = denied "decide" }
test "nobody is not let in" { request = { path = "/orders/42" }, expect = denied.by_default }
