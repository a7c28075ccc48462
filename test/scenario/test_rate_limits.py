"""Local rate limits: 429 with retry-after, decided and recorded."""
import collections
import http.client
import json
import shutil
import time
import unittest

from harness import SLOW, Yett, wait_for
from test_upstreams import OPEN, Named

RULES = 'policy "p" { allow "all" { principal = anyone }, deny "no" { path = "/no" } }'


class RateLimits(unittest.TestCase):
    def setUp(self):
        self.service = Named("a")
        self.addCleanup(self.service.service.__exit__, None, None, None)

    def yett(self, listener=None, route=None, plaintext=True, **more):
        y = Yett(self.service.address, rules=RULES, **more)
        self.addCleanup(shutil.rmtree, y.dir, True)
        if plaintext:
            y.plaintext()
        if listener:
            y.listener["rate_limits"] = listener
        if route:
            y.listener["routes"][0]["rate_limits"] = route
        y.write_config()
        return y

    def ask(self, y, count, path="/"):
        connection, out = http.client.HTTPConnection("127.0.0.1", y.port, timeout=30), []
        for _ in range(count):
            connection.request("GET", path)
            response = connection.getresponse()
            out.append((response.status, response.headers.get("retry-after"), response.read()))
        connection.close()
        return out

    def test_what_is_over_is_a_429_that_is_decided_and_recorded(self):
        for where in ("listener", "route"):
            with self.yett(**{where: [{"requests": 6, "per": "1m", "burst": 20}]}) as y:
                answers = self.ask(y, 50)
                counts = collections.Counter(status for status, _, _ in answers)
                self.assertEqual(counts, {200: 20, 429: 30})
                over = [answer for answer in answers if answer[0] == 429]
                self.assertTrue(all(8 <= int(after) <= 10 for _, after, _ in over), over[0])
                self.assertIn(b"too many requests", over[0][2])
                rows = y.query()
                self.assertEqual(len(rows), 50)
                limited = [row for row in rows if row["outcome"]["result"] == "rate limited"]
                self.assertEqual(len(limited), 30)
                self.assertEqual({(row["effect"], row["rule"], row["outcome"]["status"]) for row in limited}, {("allow", "all", 429)})
                self.assertIn('yett_exchanges_ended_total{cause="rate_limited"} 30', y.admin("/metrics")[1])
                # A denial says so, and takes nothing.
                self.assertEqual(self.ask(y, 1, "/no")[0][0], 403)

    def test_tokens_come_back(self):
        with self.yett(listener=[{"requests": 100, "burst": 10}]) as y:
            self.ask(y, 30)
            time.sleep(0.5)
            good = sum(status == 200 for status, _, _ in self.ask(y, 20))
            self.assertGreaterEqual(good, 10)

    def test_denied_requests_take_none(self):
        with self.yett(listener=[{"requests": 1, "per": "1h", "burst": 5}]) as y:
            self.assertEqual({status for status, _, _ in self.ask(y, 20, "/no")}, {403})
            self.assertEqual(collections.Counter(status for status, _, _ in self.ask(y, 10)), {200: 5, 429: 5})

    def test_each_caller_has_its_own(self):
        with self.yett(route=[{"requests": 1, "per": "1h", "burst": 5, "by": "principal"}], plaintext=False) as y:
            got = {who: collections.Counter(y.get("/", who=who)[0] for _ in range(8)) for who in ("frontend", "other")}
            self.assertEqual(got, {who: {200: 5, 429: 3} for who in ("frontend", "other")})

    def test_all_workers_share_them(self):
        with self.yett(listener=[{"requests": 1, "per": "1h", "burst": 40}], workers=2) as y:
            statuses = collections.Counter(status for _ in range(20) for status, _, _ in self.ask(y, 5))
            self.assertEqual(statuses, {200: 40, 429: 60})

    def test_a_reload_keeps_what_was_used(self):
        with self.yett(listener=[{"requests": 1, "per": "1h", "burst": 5}]) as y:
            self.assertEqual([status for status, _, _ in self.ask(y, 6)], [200] * 5 + [429])
            y.config["access_log"] = "access.log"
            y.listener["routes"][0]["response_timeout"] = "14s"
            y.write_config()
            wait_for("the reload", lambda: "reloaded" in y.log(), 10 * SLOW)
            self.assertEqual(self.ask(y, 1)[0][0], 429)
            y.listener["rate_limits"][0]["burst"] = 3
            y.write_config()
            wait_for("the reload", lambda: y.log().count("reloaded") == 2, 10 * SLOW)
            self.assertEqual([status for status, _, _ in self.ask(y, 4)], [200] * 3 + [429])

    def test_a_request_that_one_limit_refuses_takes_nothing_of_another(self):
        with self.yett(route=[{"requests": 1, "per": "1h", "burst": 5}], listener=[{"requests": 1, "per": "1h", "burst": 2}]) as y:
            self.assertEqual([status for status, _, _ in self.ask(y, 10)], [200] * 2 + [429] * 8)
            y.listener.pop("rate_limits")
            y.write_config()
            wait_for("the reload", lambda: "reloaded" in y.log(), 10 * SLOW)
            self.assertEqual([status for status, _, _ in self.ask(y, 4)], [200] * 3 + [429])

    def test_settings_that_cannot_work(self):
        for limit, wanted in (({}, "`requests` is missing"), ({"requests": 0}, "must be from 1"), ({"requests": 1, "by": "me"}, "by"), ({"requests": 1, "per": "0s"}, "longer than 0")):
            y = self.yett(listener=[limit])
            code, _, err = __import__("test_cli").yett("check", "-c", str(y.dir / "yett.json"))
            self.assertEqual(code, 2, err)
            self.assertIn(wanted, err)


if __name__ == "__main__":
    unittest.main()
