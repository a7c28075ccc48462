"""Policy in the whole program: bodies, headers it sets, remembered decisions that survive a restart, plugins, tools."""
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import sqlite3
import tempfile
import time
import unittest

from harness import BINARY, ROOT, SLOW, Service, Yett, read_head, run, wait_for
from test_cli import yett

BODY_RULES = """
policy "p" {
  allow "small" {
    principal = authenticated, method = "POST", path = "/orders/{id}",
    when = function(r) return r.body.json.amount < 100, "too much" end,
    set_header = { ["x-role"] = "buyer" }, remove_header = "x-debug",
  },
  allow "rest" { principal = authenticated, method = "GET" },
}
"""


def answer_with_request(connection):
    """Answers with the request as received: head, an empty line, body."""
    while True:
        got = read_head(connection)
        if got is None:
            return
        head, rest = got
        lower = head.lower()
        if "transfer-encoding: chunked" in lower:
            while not rest.endswith(b"0\r\n\r\n"):
                rest += connection.recv(65536)
        else:
            length = next((int(line.split(":")[1]) for line in lower.split("\r\n") if line.startswith("content-length:")), 0)
            while len(rest) < length:
                rest += connection.recv(65536)
        body = head.encode() + b"--\n" + rest
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


class Policy(unittest.TestCase):
    def test_policy_sees_the_body_and_the_service_gets_all_of_it(self):
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules=BODY_RULES)
            y.listener["routes"][0]["buffer_body"] = "4KiB"
            y.write_config()
            with y:
                for extra in ([], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]):
                    out = y.curl("/orders/1", "-X", "POST", "-H", "content-type: application/json", "-d", '{"amount": 5}', *extra).stdout.decode()
                    self.assertIn('{"amount": 5}', out)
                    self.assertNotIn("expect", out.lower())
                for body, status in (('{"amount": 500}', 403), ('{"amount": 5, "amount": 500}', 403), ("{", 403), ("", 403), ("x" * 5000, 413)):
                    self.assertEqual(y.get("/orders/1", method="POST", body=body, headers={"content-type": "application/json"})[0], status, body[:40])
                self.assertEqual(y.get("/orders/1")[0], 200)
                wait_for("the records", lambda: len(y.query()) == 8)
                self.assertIn("too much", [d["reason"] for d in y.query("--effect", "deny")])
                record = json.dumps(y.query())
                self.assertNotIn("amount\\\": 5", record)  # bodies are never recorded
                self.assertIn('"body.json": {"bytes"', record.replace('\\"', '"'))

    def test_a_body_that_cannot_change_the_decision_is_not_awaited(self):
        rules = BODY_RULES.replace('authenticated, method = "POST"', '"spiffe://example.org/frontend", method = "POST"') + 'policy "open" { deny "closed" { path = "/closed/**", public_reason = "closed" } }'
        head = b"POST %s HTTP/1.1\r\nHost: a\r\ncontent-type: application/json\r\nContent-Length: %d\r\n%s\r\n"
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules=rules)
            y.listener["routes"][0]["buffer_body"] = "4KiB"
            y.listener["timeouts"] = {"body": "2s"}
            y.write_config()
            with y:
                for who, path, length, extra in (("other", b"/orders/1", 100, b""), ("frontend", b"/closed/x", 100, b""), ("frontend", b"/closed/x", 100, b"Expect: 100-continue\r\n"), ("other", b"/orders/1", 1_000_000, b"")):
                    began = time.monotonic()
                    with y.raw_tls(who) as sock:
                        sock.sendall(head % (path, length, extra))  # without any byte of the body
                        answer = sock.recv(65536)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 403"), answer)
                    self.assertLess(time.monotonic() - began, 1 * SLOW)
                wait_for("the records", lambda: len(y.query("--effect", "deny")) == 4)
                self.assertEqual({d["rule"] for d in y.query()}, {"default", "closed"})
                with y.raw_tls() as sock:  # the body may lead to an allow, so it is awaited, but not forever
                    sock.sendall(head % (b"/orders/1", 1000, b""))
                    began = time.monotonic()
                    sock.settimeout(15 * SLOW)
                    with contextlib.suppress(OSError):
                        while time.monotonic() - began < 10 * SLOW:
                            sock.sendall(b" ")
                            time.sleep(0.05)
                    self.assertTrue(sock.recv(65536).startswith(b"HTTP/1.1 408"))
                    self.assertLess(time.monotonic() - began, 6 * SLOW)  # 2 s, extended by 20 bytes per second
                self.assertEqual(y.get("/orders/1", method="POST", body='{"amount": 5}', headers={"content-type": "application/json"})[0], 200)

    def test_the_bodies_of_one_caller_leave_room_for_others(self):
        rules = 'policy "p" { allow "all" { principal = authenticated, when = function(r) return r.body.size > 10 end } }'
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules=rules, workers=1, memory_limit="128MiB")  # 16 MiB for bodies
            y.listener["routes"][0]["buffer_body"] = "1MiB"
            y.write_config()
            with y:
                socks = []
                refused = 0
                for _ in range(30):
                    sock = y.raw_tls("other")
                    sock.settimeout(1 * SLOW)
                    refusal = b""
                    with contextlib.suppress(OSError):
                        sock.sendall(b"POST /x HTTP/1.1\r\nHost: a\r\ncontent-type: application/json\r\nContent-Length: 1000000\r\n\r\n" + b" " * 999_000)
                    socks.append(sock)
                    sock.settimeout(0.05)
                    with contextlib.suppress(OSError):
                        refusal = sock.recv(65536)
                    refused += refusal.startswith(b"HTTP/1.1 503")
                self.assertGreater(refused, 10)
                for _ in range(5):
                    body = '{"n": 1' + " " * 900_000 + "}"
                    self.assertEqual(y.get("/x", method="POST", body=body, headers={"content-type": "application/json"})[0], 200)
                print(f"  one caller's 30 bodies of 1 MB: {refused} refused; another caller's are accepted")
                for sock in socks:
                    sock.close()

    def test_a_path_in_another_case_is_denied_by_its_body_too(self):
        """/ADMIN matched another route, on which policy did not see the body."""
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules='policy "p" { deny "x" { path = "/admin/**", when = function(r) return has(r.body, "json") and r.body.json.role == "x" end }, allow "all" { principal = anyone } }')
            y.listener["routes"] = [{"path": "/admin/**", "cluster": "app", "buffer_body": "4KiB"}, {"path": "/**", "cluster": "app"}]
            y.write_config()
            with y:
                for path in ("/admin/x", "/ADMIN/x", "/Admin/"):
                    for role, status in (("x", 403), ("y", 200)):
                        self.assertEqual(y.get(path, method="POST", body=json.dumps({"role": role}), headers={"content-type": "application/json"})[0], status, (path, role))

    def test_values_quoted_in_a_reason_are_masked_once_however_often_they_appear(self):
        """A value that is part of the mask text made the reason grow, which took seconds."""
        rules = 'policy "p" { deny "d" { query = { d = re ".*" }, when = function(r) return true, "no: " .. r.header["x-t"] end }, allow "all" { principal = anyone } }'
        with Service(answer_with_request) as service, Yett(service.address, rules=rules) as y:
            began = time.monotonic()
            self.assertEqual(y.get("/?d=abc" + "&d=ask" * 800 + "".join(f"&d=x{i}" for i in range(300)), headers={"x-t": "abc" * 330})[0], 403)
            self.assertLess(time.monotonic() - began, 0.5 * SLOW)
            reason = wait_for("the record", lambda: y.query())[0]["reason"]
            self.assertEqual(reason, "no: (masked)")

    def test_a_slow_or_broken_body_does_not_reach_the_service(self):
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules=BODY_RULES).plaintext()
            y.write_rules('policy "p" { allow "all" { principal = anyone } }')
            y.listener["routes"][0]["buffer_body"] = "4KiB"
            y.listener["timeouts"] = {"body": "300ms"}
            y.write_config()
            with y:
                with y.raw() as s:  # half a body, then nothing
                    s.sendall(b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345")
                    self.assertIn(b" 408 ", s.recv(4096))
                with y.raw() as s:  # half a body, then gone
                    s.sendall(b"POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345")
                with y.raw() as s:  # a broken chunk
                    s.sendall(b"POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n")
                    self.assertIn(b" 400 ", s.recv(4096))
                with y.raw() as s:  # a body announced as too large is refused before it is sent
                    s.sendall(b"POST /d HTTP/1.1\r\nhost: a\r\ncontent-length: 99999\r\nexpect: 100-continue\r\n\r\n")
                    self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 413 "))
                with y.raw() as s:  # two on one connection, the first with a body
                    s.sendall(b"POST /e HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcGET /f HTTP/1.1\r\nhost: a\r\n\r\n")
                    seen = b""
                    while b"GET /f" not in seen:
                        piece = s.recv(4096)
                        self.assertTrue(piece, seen)
                        seen += piece
                    self.assertIn(b"abc", seen)
                wait_for("the records", lambda: {d["path"] for d in y.query()} == {"/e", "/f"})

    def test_a_delayed_body_is_decided_as_of_the_time_it_ends(self):
        with Service(answer_with_request) as service:
            until = int(time.time()) + 2
            y = Yett(service.address, rules=f'policy "p" {{ allow "early" {{ principal = anyone, when = function(r) return r.time < {until} end }} }}').plaintext()
            y.listener["routes"][0]["buffer_body"] = "4KiB"
            y.write_config()
            with y, y.raw() as s:
                s.sendall(b"POST /held HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345")
                time.sleep(max(0, until + 1.2 - time.time()))
                s.sendall(b"67890")
                self.assertIn(b" 403 ", s.recv(4096))
                record = wait_for("the record", lambda: [d for d in y.query() if d["path"] == "/held"])[0]
                self.assertEqual(record["effect"], "deny")
                decided = datetime.datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()
                self.assertGreaterEqual(decided, until)

    def test_a_header_that_policy_sets_cannot_be_sent_by_callers(self):
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules=BODY_RULES)
            y.listener["routes"][0]["buffer_body"] = "4KiB"
            y.write_config()
            with y:
                sent = ["-H", "content-type: application/json", "-H", "x-role: admin", "-H", "X_Role: admin", "-H", "x.role: admin", "-H", "x!role: admin", "-H", "x~role: admin", "-H", "x-debug: 1", "-H", "x_debug: 1", "-H", "x-other: kept"]
                out = y.curl("/orders/1", "-X", "POST", "-d", '{"amount": 5}', *sent).stdout.decode().lower()
                self.assertEqual(out.count("admin"), 0, out)
                self.assertEqual(out.count("x-role: buyer"), 1)
                self.assertNotIn("debug", out)
                self.assertIn("x-other: kept", out)
                out = y.curl("/orders/1", *sent).stdout.decode().lower()  # another rule allows: it is still removed
                self.assertNotIn("role", out)
                self.assertIn("x-debug: 1", out)

    def test_a_restart_keeps_remembered_decisions_but_refuses_a_forged_row(self):
        rules = 'policy "p" { allow "a" { principal = authenticated, when = function(r) return r.path == "/open" end } }'
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules=rules, workers=1)
            y.config["cache"] = {"database": "cache.db", "key_file": "certs/cache.key"}
            y.write_config()
            y.start()
            self.assertEqual([y.get("/open")[0], y.get("/shut")[0], y.get("/open")[0]], [200, 403, 200])
            self.assertIn('yett_remembered_hits_total{policy="p"} 1', y.admin("/metrics")[1])
            y.stop()
            with sqlite3.connect(y.dir / "cache.db") as db:
                self.assertEqual(db.execute("SELECT count(*) FROM remembered").fetchone()[0], 2)
            y.start()
            self.assertEqual([y.get("/open")[0], y.get("/shut")[0]], [200, 403])
            wait_for("the records", lambda: [d["cached"] for d in y.query()][3:] == [True, True])
            y.stop()
            with sqlite3.connect(y.dir / "cache.db") as db:  # a forged row: the allow of /open, for /shut
                db.execute("UPDATE remembered SET (value, proof) = (SELECT value, proof FROM remembered WHERE instr(key, CAST('/open' AS BLOB)) > 0)")
            y.start()
            self.assertEqual([y.get("/open")[0], y.get("/shut")[0]], [200, 403])
            self.assertIn("yett_remembered_rows_refused_total 1", y.admin("/metrics")[1])
            y.stop()
            y.write_rules(rules.replace("/open", "/shut"))
            y.start()  # another policy: decisions of the old one do not count
            self.assertEqual([y.get("/open")[0], y.get("/shut")[0]], [403, 200])
            y.stop()
            shutil.rmtree(y.dir)

    def test_a_remembered_allow_ends_with_the_policy_that_gave_it(self):
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules='policy "p" { allow "a" { principal = authenticated, when = function(r) return r.path ~= "" end } }')
            with y:
                for _ in range(20):
                    self.assertEqual(y.get("/x")[0], 200)
                y.write_rules('policy "p" { allow "a" { principal = authenticated, when = function(r) return r.path == "" end } }')
                wait_for("the new policy", lambda: y.get("/x")[0] == 403)
                for _ in range(20):
                    self.assertEqual(y.get("/x")[0], 403)

    def test_a_plugin_decides_and_reloads_with_its_settings(self):
        plugin = pathlib.Path(BINARY).parent / "plugins/cidr_list.so"
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules='policy "p" { allow "a" { principal = authenticated } }')
            shutil.copy(plugin, y.dir / "list.so")
            y.replace("blocked.txt", "203.0.113.0/24\n")
            y.config["policy"]["engines"].append({"name": "list", "type": "plugin", "role": "veto", "path": "list.so", "settings": "blocked.txt"})
            y.write_config()
            with y:
                self.assertEqual(y.get("/")[0], 200)
                y.replace("blocked.txt", "127.0.0.0/8  the whole machine\n")
                wait_for("the new list", lambda: y.get("/")[0] == 403)
                wait_for("the record", lambda: y.query()[-1]["reason"] == "the whole machine")
                y.replace("blocked.txt", "nonsense\n")
                wait_for("the refusal", lambda: "line 1: `nonsense` is not an address range" in y.log())
                self.assertEqual(y.get("/")[0], 403)
                whole = (y.dir / "list.so").read_bytes()
                (y.dir / "cut.so").write_bytes(whole[:5000])
                y.config["policy"]["engines"][1].update({"path": "cut.so", "settings": "blocked.txt"})
                y.replace("cut.json", json.dumps(y.config))
                code, _, err = yett("check", "-c", str(y.dir / "cut.json"))
                self.assertEqual(code, 2)
                self.assertIn("is not a complete shared object", err)


def stream_events(connection):
    """Answers with an event every 50 ms, forever."""
    if read_head(connection) is None:
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"6\r\ntick\n\n\r\n")
        time.sleep(0.05)


class OpenStreams(unittest.TestCase):
    """An in-flight exchange obeys the newest policy."""

    def open_stream(self, y, path):
        s = y.raw_tls()
        s.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\nx-go: 1\r\n\r\n".encode())
        self.assertIn(b" 200 ", s.recv(65536))
        return s

    def ends(self, s, seconds):
        """Whether the connection ends within this time, without the end of a message."""
        until = time.monotonic() + seconds * SLOW
        last = b""
        while time.monotonic() < until:
            try:
                piece = s.recv(65536)
            except OSError:
                return True
            if not piece:
                self.assertNotIn(b"0\r\n\r\n", last)
                return True
            last = (last + piece)[-100:]
        return False

    def test_streams_that_are_no_longer_allowed_end_and_others_continue(self):
        with Service(stream_events) as service:
            rules = 'policy "p" { allow "a" { principal = authenticated, path = "/a/**" }, allow "b" { principal = authenticated, path = "/b/**", when = function(r) return r.header["x-go"] == "1" end } }'
            with Yett(service.address, rules=rules) as y:
                kept = [self.open_stream(y, f"/a/{i}") for i in range(40)]
                ended = [self.open_stream(y, f"/b/{i}") for i in range(40)]
                y.write_rules(rules.replace('== "1"', '== "2"'))
                began = time.monotonic()
                self.assertTrue(all(self.ends(s, 5) for s in ended))
                took = time.monotonic() - began
                print(f"  40 of 80 open streams ended {took * 1000:.0f} ms after the policy edit")
                self.assertTrue(all(s.recv(65536) for s in kept))
                self.assertFalse(self.ends(kept[0], 0.5))
                wait_for("the records", lambda: len([d for d in y.query("--effect", "deny") if d.get("outcome", {}).get("result") == "ended by a newer policy"]) == 40)
                wait_for("the outcomes", lambda: {d.get("outcome", {}).get("result") for d in y.query("--effect", "allow") if d["path"].startswith("/b/")} == {"ended by a newer policy"})
                self.assertIn('yett_rechecks_total{effect="allow"} 40', y.admin("/metrics")[1])
                y.write_rules('policy "p" { deny "all" {} }')
                self.assertTrue(all(self.ends(s, 5) for s in kept))
                for s in kept + ended:
                    s.close()

    def test_a_waiting_request_gets_the_decision_of_the_new_policy(self):
        def silent(connection):
            read_head(connection)
            time.sleep(30)

        with Service(silent) as service:
            with Yett(service.address, rules='policy "p" { allow "a" { principal = authenticated } }') as y:
                s = y.raw_tls()
                s.sendall(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n")
                time.sleep(0.3)
                y.write_rules('policy "p" { deny "shut" { public_reason = "shut since" } }')
                answer = s.recv(65536)
                self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer)
                self.assertIn(b"shut since", answer)
                s.close()

    def test_a_stream_ends_when_its_caller_is_no_longer_trusted(self):
        with Service(stream_events) as service:
            with Yett(service.address, rules='policy "p" { allow "a" { principal = authenticated } }') as y:
                s = self.open_stream(y, "/x")
                bundle = (y.dir / "certs/bundle.pem").read_text()
                run("certs", "init", "--dir", str(y.dir / "other"))
                other = (y.dir / "other/bundle.pem").read_text()
                y.replace("certs/bundle.pem", bundle + other)  # one more CA: no effect on open streams
                wait_for("the reload", lambda: y.log().count(" reloaded ") == 1)
                self.assertFalse(self.ends(s, 0.5))
                y.replace("certs/bundle.pem", other)  # without the caller's
                self.assertTrue(self.ends(s, 5))
                s.close()
                wait_for("the record", lambda: [d for d in y.query("--effect", "deny") if d["reason"] == "the caller's certificate is trusted no more"])

    def test_an_exchange_ends_at_its_lifetime_limit(self):
        with Service(stream_events) as service:
            y = Yett(service.address, rules='policy "p" { allow "a" { principal = authenticated } }')
            y.listener["timeouts"] = {"lifetime": "700ms"}
            y.write_config()
            with y:
                s = self.open_stream(y, "/x")
                self.assertTrue(self.ends(s, 3))
                s.close()
                wait_for("the outcome", lambda: [d for d in y.query() if d.get("outcome", {}).get("result") == "lifetime over"])

    def test_an_invalid_edit_ends_no_stream(self):
        with Service(stream_events) as service:
            with Yett(service.address, rules='policy "p" { allow "a" { principal = authenticated } }') as y:
                s = self.open_stream(y, "/x")
                y.write_rules("this is no policy")
                wait_for("the refusal", lambda: "reload refused" in y.log())
                self.assertFalse(self.ends(s, 0.5))
                s.close()


class Tools(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-policy-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        path.chmod(0o600)

    def test_the_rule_library_passes_its_tests_and_each_rule_decides_at_least_one(self):
        code, out, err = yett("test", str(ROOT / "rules"), "--min-coverage", "100")
        self.assertEqual(code, 0, out + err)
        self.assertIn("0 failed", out)

    def test_a_thousand_tests_take_less_than_a_second(self):
        self.write("p.lua", 'policy "p" { allow "a" { principal = authenticated, path = "/orders/{id}", when = function(r) return r.params.id ~= "0" and has(r.header, "x-a") end } }')
        self.write("p_test.lua", 'for i = 1, 1000 do test("order " .. i .. " is read") { principal = "spiffe://example.org/a", http = "GET /orders/" .. i .. " HTTP/1.1\\r\\nHost: h\\r\\nX-A: 1\\r\\n\\r\\n", expect = allowed "a" } end')
        began = time.monotonic()
        code, out, _ = yett("test", str(self.dir))
        took = time.monotonic() - began
        self.assertEqual(code, 0)
        self.assertIn("1000 passed, 0 failed", out)
        print(f"  1000 tests of a policy in {took * 1000:.0f} ms")
        self.assertLess(took, 1 * SLOW)

    def test_failures_are_reported_in_every_format(self):
        self.write("p.lua", 'policy "p" {\n  allow "a" { principal = authenticated, when = function(r)\n    if r.method == "GET" then return true end\n    return false, "GET <only>"\n  end },\n  deny "never" { path = "/never" },\n}')
        self.write("p_test.lua", 'test "reads" { principal = "spiffe://example.org/a", request = { path = "/" }, expect = allowed }\ntest "writes" { principal = "spiffe://example.org/a", request = { method = "POST" }, expect = allowed "a" }\ntest "two hosts" { http = "GET / HTTP/1.1\\r\\nHost: a\\r\\nHost: b\\r\\n\\r\\n", expect = rejected }')
        code, out, _ = yett("test", str(self.dir), "--coverage")
        self.assertEqual(code, 1)
        self.assertIn('p_test.lua:2: expected allowed "a", got denied.by_default: GET <only>', out)
        self.assertIn("never decided: p.lua:6: p/never", out)
        code, out, _ = yett("test", str(self.dir), "--format", "json", "--coverage")
        report = json.loads(out)
        self.assertEqual((code, report["passed"], report["failed"], report["coverage"]["percent"]), (1, 2, 1, 50))
        code, out, _ = yett("test", str(self.dir), "--format", "junit")
        self.assertIn("GET &lt;only&gt;", out)
        import xml.etree.ElementTree as tree
        self.assertEqual(tree.fromstring(out).find("testsuite").get("failures"), "1")

    def test_mistakes_in_tests_are_problems_not_passes(self):
        self.write("p.lua", 'policy "p" { deny "d" {} }')
        for text, problem in (
            ('test "x" { request = {}, expect = "denied" }', "`expect` must be"),
            ('test "x" { request = { path = "/" } }', "`expect` is missing"),
            ('test "x" { request = { path = "/" }, http = "GET", expect = denied }', "either `http` or `request`"),
            ('test "x" { request = { path = "/" }, expct = denied }', "did you mean `expect`?"),
            ("test {", "p_test.lua:1:"),
            ('test "x" { request = { path = "/" }, expect = denied }\ntest "x" { request = { path = "/" }, expect = denied }', "appears twice"),
            ("while true do end", "used up"),
        ):
            self.write("p_test.lua", text)
            code, _, err = yett("test", str(self.dir))
            self.assertEqual(code, 2, text)
            self.assertIn(problem, err, text)
        self.write("p_test.lua", 'test "x" { request = { path = "/", principal = 5 }, expect = denied }\ntest "y" { http = "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", source = "nowhere", expect = denied }')
        code, out, _ = yett("test", str(self.dir))
        self.assertEqual(code, 1)
        self.assertIn("not a request: `principal` is a number", out)
        self.assertIn("not a request: `source` is `nowhere`, must be an address or address:port", out)

    def test_eval_explains(self):
        self.write("p.lua", 'policy "p" {\n  deny "closed" { path = "/closed/**" },\n  allow "a" { principal = "spiffe://example.org/**", when = function(r)\n    local region = r.header["x-region"]\n    return region == "eu", "not in eu"\n  end },\n}')
        self.write("request.json", '{"path": "/a?x=1", "principal": "spiffe://example.org/me", "headers": {"x-region": "us"}}')
        self.write("request.http", "GET /a HTTP/1.1\r\nhost: h\r\nx-region: eu\r\n\r\n")
        code, out, _ = yett("eval", str(self.dir), "--request", str(self.dir / "request.json"), "--explain")
        self.assertEqual(code, 1)
        for part in ("deny p/closed (p.lua:2): `path` does not match", "read header.x-region = us", 'returned false, "not in eu" at p.lua:5', "DENY by default (not in eu)"):
            self.assertIn(part, out)
        code, out, _ = yett("eval", str(self.dir), "--http", str(self.dir / "request.http"), "--principal", "spiffe://example.org/me", "--format", "json", "--explain")
        self.assertEqual(code, 0)
        answer = json.loads(out)
        self.assertEqual((answer["effect"], answer["rule"], len(answer["explain"])), ("allow", "a", 2))
        for args in ((), ("--request", "nowhere.json"), ("--http", str(self.dir / "request.json")), ("--request", str(self.dir / "request.http"))):
            self.assertEqual(yett("eval", str(self.dir), *args)[0], 2, args)

    def test_check_reports_an_invalid_cache_key(self):
        y = Yett("127.0.0.1:1")
        self.addCleanup(shutil.rmtree, y.dir)
        y.replace("short.key", "short")
        y.config["cache"] = {"database": "cache.db", "key_file": "short.key"}
        y.write_config()
        code, _, err = yett("check", "-c", str(y.dir / "yett.json"))
        self.assertEqual(code, 2)
        self.assertIn("short.key: a key must have at least 32 bytes", err)

    def test_one_mistake_is_reported_as_one_problem(self):
        self.write("p.lua", 'policy "p" {\n  deny "x" { path = "/a" },\n  allow "y" { path = re "(" },\n}')
        code, _, err = yett("check", str(self.dir))
        self.assertEqual(code, 2)
        self.assertIn("p.lua:3: re `(`", err)
        self.assertNotIn("is not in a policy", err)

    def test_a_policy_directory_that_cannot_be_read_completely_is_refused(self):
        self.write("p.lua", 'policy "p" { allow "a" { principal = authenticated } }')
        os.symlink("nowhere.lua", self.dir / "deny.lua")
        code, _, err = yett("check", str(self.dir))
        self.assertEqual(code, 2)
        self.assertIn("deny.lua: cannot be read", err)
        (self.dir / "deny.lua").unlink()
        os.mkfifo(self.dir / "deny.lua")
        self.assertEqual(yett("check", str(self.dir))[0], 2)
        (self.dir / "deny.lua").unlink()
        self.assertEqual(yett("check", str(self.dir))[0], 0)


if __name__ == "__main__":
    unittest.main()
