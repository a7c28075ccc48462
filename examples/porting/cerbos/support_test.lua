local ann = "spiffe://e.org/support/ann"
local cy = "spiffe://e.org/on-call/cy"
local morning = 1784095200   -- Wednesday, 15 July 2026, 08:00 in Berlin
local evening = 1784131200   -- 18:00
local saturday = 1784325600  -- Saturday, 18 July 2026, 00:00 in Berlin; in UTC it is still Friday
local monday = 1784498400    -- Monday, 20 July 2026, 00:00 in Berlin

test "support replies" {
  principal = ann, source = "10.20.3.4", time = morning,
  request = { method = "POST", path = "/tickets/7/replies" },
  expect = allowed "support by day",
}
test "until the evening" {
  principal = ann, source = "10.20.3.4", time = evening - 1,
  request = { path = "/tickets/7" },
  expect = allowed "support by day",
}
test "not in the evening" {
  principal = ann, source = "10.20.3.4", time = evening,
  request = { path = "/tickets/7" },
  expect = denied.by_default,
}
test "not before the morning" {
  principal = ann, source = "10.20.3.4", time = morning - 1,
  request = { path = "/tickets/7" },
  expect = denied.by_default,
}
test "not from home" {
  principal = ann, source = "192.0.2.1", time = morning,
  request = { path = "/tickets/7" },
  expect = denied.by_default,
}
test "nobody deletes" {
  principal = ann, source = "10.20.3.4", time = morning,
  request = { method = "DELETE", path = "/tickets/7" },
  expect = denied.by_default,
}
test "who is on call starts on Saturday" {
  principal = cy, time = saturday,
  request = { path = "/tickets/7" },
  expect = allowed "on call at the weekend",
}
test "not on Friday" {
  principal = cy, time = saturday - 1,
  request = { path = "/tickets/7" },
  expect = denied.by_default,
}
test "and ends on Monday" {
  principal = cy, time = monday,
  request = { path = "/tickets/7" },
  expect = denied.by_default,
}
test "mallory is suspended" {
  principal = "spiffe://e.org/support/mallory", source = "10.20.3.4", time = morning,
  request = { path = "/tickets/7" },
  expect = denied "mallory is suspended",
}
test "support has no weekend" {
  principal = ann, source = "10.20.3.4", time = saturday,
  request = { path = "/tickets/7" },
  expect = denied.by_default,
}
test "who is on call has no weekdays" {
  principal = cy, source = "10.20.3.4", time = morning,
  request = { path = "/tickets/7" },
  expect = denied.by_default,
}
