local alice = "spiffe://e.org/trader/alice"
local bob = "spiffe://e.org/trader/bob"
local summer_open = 1784122200   -- Wednesday, 15 July 2026, 09:30 in New York
local summer_close = 1784145600  -- 16:00
local saturday = 1784386800      -- 18 July 2026, 11:00
local winter = 1768397400        -- Wednesday, 14 January 2026: the hour of summer_open in UTC, but 08:30 in New York
local function order(body)
  return { method = "POST", path = "/trades", headers = { ["content-type"] = "application/json" }, body = body }
end

test "a trader buys" {
  principal = bob, time = summer_open,
  request = order '{"amount": 1999999}',
  expect = allowed "traders buy while the exchange is open",
}
test "up to a limit" {
  principal = bob, time = summer_open,
  request = order '{"amount": 2000000}',
  expect = denied.by_default,
}
test "a long tenure has a higher limit" {
  principal = alice, time = summer_open,
  request = order '{"amount": 2000000}',
  expect = allowed "traders buy while the exchange is open",
}
test "and no more" {
  principal = alice, time = summer_open,
  request = order '{"amount": 5e6}',
  expect = denied.by_default,
}
test "not before it opens" {
  principal = bob, time = summer_open - 1,
  request = order '{"amount": 1}',
  expect = denied.by_default,
}
test "a second before it closes" {
  principal = bob, time = summer_close - 1,
  request = order '{"amount": 1}',
  expect = allowed "traders buy while the exchange is open",
}
test "not when it closes" {
  principal = bob, time = summer_close,
  request = order '{"amount": 1}',
  expect = denied.by_default,
}
test "not on a Saturday" {
  principal = bob, time = saturday,
  request = order '{"amount": 1}',
  expect = denied.by_default,
}
test "an hour later in winter" {
  principal = bob, time = winter,
  request = order '{"amount": 1}',
  expect = denied.by_default,
}
test "by the clock of New York" {
  principal = bob, time = winter + 3600,
  request = order '{"amount": 1}',
  expect = allowed "traders buy while the exchange is open",
}
test "text is no amount" {
  principal = bob, time = summer_open,
  request = order '{"amount": "1"}',
  expect = denied.by_default,
}
test "nobody buys without a record" {
  principal = "spiffe://e.org/trader/eve", time = summer_open,
  request = order '{"amount": 1}',
  expect = denied.by_default,
}
test "reading has no hours" {
  principal = bob, time = saturday,
  request = { path = "/trades/9" },
  expect = allowed "traders read at any time",
}
test "nobody reads without a record" {
  principal = "spiffe://e.org/trader/eve", time = saturday,
  request = { path = "/trades/9" },
  expect = denied.by_default,
}
