"""The audit trail in use: reading, erasing, masking, retention, replay, learning rules, and sending it off the machine."""
import contextlib
import csv
import hashlib
import http.server
import io
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from harness import BINARY, DOMAIN, ROOT, SLOW, Nginx, Service, Yett, echo, environment, free_port, read_head, run, wait_for

SHOP = """
policy "shop" {
  deny "closed" { path = "/admin/**", public_reason = "admin is closed" },
  allow "reads" { principal = "spiffe://example.org/frontend", method = { "GET", "HEAD" }, path = "/orders/{id}",
    when = function(r)
      if optional(r.header, "x-region", "eu") ~= "eu" then
        return false, "wrong region"
      end
      return true
    end },
  allow "hello" { principal = "spiffe://example.org/frontend", path = "/hello" },
  allow "looks" { principal = "authenticated", path = "/search", when = function(r) return r.query.user == "alice" end },
}
"""


def yett(*args):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, env=environment(), timeout=120 * SLOW)
    return done.returncode, done.stdout, done.stderr


def traffic(y, orders=6):
    for i in range(orders):
        y.get(f"/orders/{i}")
    y.get("/orders/1", headers={"x-region": "us"})
    y.get("/hello?token=hunter2")
    y.get("/admin/x")
    y.get("/hello", who="other")
    y.get("/search?user=alice")


def settled(y, decisions):
    wait_for("the records", lambda: len([row for row in y.query() if "outcome" in row]) >= decisions)


def bytes_of(y):
    return b"".join(path.read_bytes() for path in y.dir.glob("yett*.db*") if "lock" not in path.name)


class Reading(unittest.TestCase):
    def test_show_explains_a_decision_and_stats_counts_them(self):
        with Nginx() as up, Yett(up.address, rules=SHOP) as y:
            traffic(y)
            settled(y, 11)
            config = str(y.dir / "yett.json")
            code, out, _ = yett("log", "stats", "-c", config)
            self.assertEqual(code, 0)
            self.assertIn("11 decisions", out)
            self.assertIn("3 denied", out)
            self.assertIn("TOP DENIALS", out)
            out = yett("log", "stats", "-c", config, "--by", "effect,rule", "--format", "csv")[1]
            rows = {(r["effect"], r["rule"]): int(r["count"]) for r in csv.DictReader(io.StringIO(out))}
            self.assertEqual(rows[("allow", "reads")], 6)
            self.assertEqual(rows[("deny", "default")], 2)
            code, out, err = yett("log", "stats", "-c", config, "--by", "principl")
            self.assertEqual((code, out), (2, ""))
            self.assertIn("did you mean `principal`", err)
            denied = [json.loads(line) for line in yett("log", "export", "-c", config, "--effect", "deny")[1].splitlines()]
            self.assertEqual([d["rule"] for d in denied], ["default", "closed", "default"])
            code, out, _ = yett("log", "show", denied[0]["id"], "-c", config)
            self.assertEqual(code, 0)
            for part in ("DENY by default", "spiffe://example.org/frontend from 127.0.0.1", "wrong region", "header.x-region = us",
                         "allow shop/reads (test.lua:4)", "returned false, \"wrong region\" at test.lua:7", "`path` does not match"):
                self.assertIn(part, out)
            # The rule as it was at the time, although the files have changed since.
            allowed = next(row for row in y.query() if row["rule"] == "reads")
            y.write_rules('policy "new" { allow "all" { principal = anyone, path = "/**" } }')
            wait_for("the reload", lambda: y.log().count("reloaded") == 1)
            out = yett("log", "show", allowed["id"], "-c", config)[1]
            self.assertIn("THE RULE, AS IT WAS (test.lua:4)", out)
            self.assertIn('if optional(r.header, "x-region", "eu")', out)
            self.assertEqual(yett("log", "show", "nonsense", "-c", config)[0], 2)
            for said in ("today", "yesterday", "2 hours ago", "10m", "2026-11-21", "00:00"):
                self.assertEqual(yett("log", "query", "-c", config, "--since", said)[0], 0, said)
            self.assertEqual(yett("log", "query", "-c", config, "--since", "soon")[0], 2)
            events = yett("log", "query", "-c", config, "--events", "--format", "json")[1]
            self.assertIn(" -> ", next(e["detail"] for e in map(json.loads, events.splitlines()) if e["event"] == "reload accepted"))

    def test_csv_cells_that_a_spreadsheet_treats_as_text(self):
        with Nginx() as up, Yett(up.address, rules=SHOP) as y:
            y.get("/x%22,=cmd")
            settled(y, 1)
            out = yett("log", "export", "-c", str(y.dir / "yett.json"), "--format", "csv")[1]
            rows = list(csv.DictReader(io.StringIO(out)))
            self.assertEqual(len(rows), 1)
            self.assertFalse(any(value.startswith(("=", "+", "-", "@")) for value in rows[0].values() if value))


class Personal(unittest.TestCase):
    def test_query_strings_are_masked_and_masked_values_can_be_matched(self):
        with Nginx() as up:
            y = Yett(up.address, rules=SHOP, audit={
                "database": "yett.db", "mask_key_file": "certs/mask.key",
                "record": {"mask": ["header.x-region", "source.ip"], "headers": ["user-agent", "x-region", "x-team"]}})
            with y:
                for region in ("mars", "mars", "pluto"):
                    y.get("/orders/1?card=4111", headers={"x-region": region, "user-agent": "probe/1", "cookie": "sid=hunter2"})
                y.get("/search?user=bob-the-caller")
                settled(y, 4)
                rows = y.query()
                reads = [row["reads"] for row in rows]
                self.assertEqual(reads[0]["header.x-region"], reads[1]["header.x-region"])
                self.assertNotEqual(reads[0]["header.x-region"], reads[2]["header.x-region"])
                self.assertEqual(set(reads[0]["header.x-region"]), {"hmac", "key"})
                self.assertEqual(reads[0]["header.user-agent"], "probe/1")
                self.assertIsNone(reads[0]["header.x-team"])
                self.assertIn("hmac", rows[0]["source"])
                self.assertTrue(rows[0]["raw_target"].startswith('/orders/1?{"hmac"'))
                y.stop()
                everything = bytes_of(y) + (y.dir / "stderr.log").read_bytes()
                for secret in (b"mars", b"pluto", b"4111", b"hunter2", b"bob-the-caller"):
                    self.assertNotIn(secret, everything)
                self.assertTrue(y.verify()["ok"])
                y.start()

    def test_erase_while_yett_runs_and_while_it_is_stopped(self):
        with Nginx() as up, Yett(up.address, rules=SHOP) as y:
            config = str(y.dir / "yett.json")
            traffic(y)
            settled(y, 11)
            code, out, _ = yett("log", "erase", "-c", config, "--principal", f"{DOMAIN}/other")
            self.assertEqual((code, "1 records would permanently lose" in out), (0, True))
            self.assertEqual(len(yett("log", "query", "-c", config, "--principal", f"{DOMAIN}/other", "--format", "json")[1].splitlines()), 1)
            code, out, err = yett("log", "erase", "-c", config, "--principal", f"{DOMAIN}/other", "--yes", "--reason", "ticket 7")
            self.assertEqual(code, 0, err)
            self.assertNotIn(b"example.org/other", bytes_of(y))
            self.assertEqual((y.verify()["ok"], y.verify()["erased"]), (True, 1))
            code, _, err = yett("log", "erase", "--log", str(y.dir / "yett.db"), "--principal", f"{DOMAIN}/frontend", "--yes")
            self.assertEqual(code, 2)
            self.assertIn("yett is running", err)
            for nobody in ([], ["--principal", ""], ["--principal", "", "--since", "1h"]):
                self.assertEqual(yett("log", "erase", "-c", config, "--yes", *nobody)[0], 2, nobody)
            y.get("/hello")
            settled(y, 12)
            y.stop()
            code, out, err = yett("log", "erase", "-c", config, "--principal", f"{DOMAIN}/*", "--yes")
            self.assertEqual((code, "11 records have lost" in out), (0, True), err)
            for gone in (b"example.org/frontend\x00", b"/orders/1", b"127.0.0.1", b"hunter2"):
                told = re.sub(r'"upstream":"[^"]*"', "", yett("log", "export", "-c", config)[1])
                self.assertNotIn(gone.decode().strip("\x00"), told)
            self.assertEqual((y.verify()["ok"], y.verify()["erased"], y.verify()["gaps"]), (True, 12, 0))
            self.assertIn("(erased)", yett("log", "query", "-c", config)[1])
            y.start()


    def test_events_caused_by_a_caller_are_erased_like_decisions(self):
        """A failed handshake stayed in the log in clear text, even after an erasure."""
        with Nginx() as up, Yett(up.address, rules=SHOP) as y:
            config = str(y.dir / "yett.json")
            other = pathlib.Path(tempfile.mkdtemp(dir=y.dir))
            run("certs", "init", "--dir", str(other))
            run("certs", "issue", f"{DOMAIN}/bob-the-stranger", "--dir", str(other), "--name", "bob")
            context = y.context(None)
            context.load_cert_chain(str(other / "bob.pem"), str(other / "bob.key"))
            shutil.rmtree(other)
            with contextlib.suppress(OSError), y.raw() as raw, context.wrap_socket(raw, server_hostname="localhost") as s:
                s.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                s.recv(100)
            event = wait_for("the event", lambda: [e for e in y.query("--events") if e["event"] == "handshake failed"])[0]
            self.assertEqual(event["caller"], f"{DOMAIN}/bob-the-stranger")
            self.assertIn("(from 127.0.0.1)", event["detail"])
            self.assertTrue(y.verify()["ok"])
            code, out, err = yett("log", "erase", "-c", config, "--principal", f"{DOMAIN}/bob-*", "--yes")
            self.assertEqual((code, "1 records have lost" in out), (0, True), out + err)
            self.assertNotIn(b"bob-the-stranger", bytes_of(y))
            self.assertEqual((y.verify()["ok"], y.verify()["erased"]), (True, 1))
            event = [e for e in y.query("--events") if e["event"] == "handshake failed"][0]
            self.assertEqual((event.get("erased"), event["detail"]), (True, ""))

    def test_a_masked_principal_is_masked_in_events_too(self):
        rules = 'policy "p" { allow "all" { principal = authenticated } }'  # names no caller: policy sources are recorded unmasked
        with Nginx() as up, Yett(up.address, rules=rules, audit={"database": "yett.db", "mask_key_file": "certs/mask.key", "record": {"mask": ["principal.id", "source.ip"]}}) as y:
            with y.raw_tls() as s:
                s.sendall(b"BAD\r\n\r\n")
                s.recv(1000)
            event = wait_for("the event", lambda: [e for e in y.query("--events") if e["event"] == "bad request"])[0]
            self.assertIn("hmac", event["caller"])
            y.stop()
            for secret in (b"example.org/frontend", b"(from 127.0.0.1)"):
                self.assertFalse(secret in (y.dir / "yett.db").read_bytes(), secret)
            y.start()

    def test_show_masks_and_check_warns_of_possible_credentials_in_rules(self):
        rules = 'policy "shop" {\n  allow "keyed" { principal = authenticated, path = "/hello",\n    header = { ["x-api-key"] = "hunter2-is-it", ["x-region"] = "eu" } },\n}\n'
        with Nginx() as up, Yett(up.address, rules=rules) as y:
            self.assertEqual(y.get("/hello", headers={"x-api-key": "hunter2-is-it", "x-region": "eu"})[0], 200)
            settled(y, 1)
            out = yett("log", "show", "-c", str(y.dir / "yett.json"), y.query()[0]["id"])[1]
            self.assertIn('["x-api-key"] = "(masked)", ["x-region"] = "eu"', out)
            self.assertNotIn("hunter2", out)
            err = yett("check", "-c", str(y.dir / "yett.json"))[2]
            self.assertIn("test.lua:3: contains what looks like a credential", err)


class Replay(unittest.TestCase):
    def candidate(self, y, text):
        folder = pathlib.Path(tempfile.mkdtemp(dir=y.dir))
        (folder / "p.lua").write_text(text)
        return str(folder)

    def replay(self, y, text, *more):
        code, out, err = yett("replay", "-c", str(y.dir / "yett.json"), "--policy", self.candidate(y, text), "--format", "json", *more)
        self.assertIn(code, (0, 1, 3), err)
        report = json.loads(out)
        self.assertEqual(code, 1 if report["newly_denied"] + report["newly_allowed"] else 3 if report["undecided"] else 0)
        return report

    def test_replay_shows_the_effect_of_a_policy_change(self):
        with Nginx() as up, Yett(up.address, rules=SHOP) as y:
            traffic(y)
            settled(y, 11)
            same = self.replay(y, SHOP)
            self.assertEqual((same["same"], same["undecided"]), (10, 1))  # r.query.user is masked
            self.assertEqual(same["unknown"], {"query.user": 1})
            same = ("replay", "-c", str(y.dir / "yett.json"), "--policy", self.candidate(y, SHOP))
            self.assertEqual([yett(*same, *more)[0] for more in ((), ("--max-undecided", "9"), ("--max-undecided", "10%"))], [3, 3, 0])
            self.assertIn("1 of 11 decisions are undecided (9.09 %, --max-undecided allows 9 %)", yett(*same, "--max-undecided=9")[2])
            self.assertEqual(yett(*same, "--max-undecided", "101")[0], 2)
            report = self.replay(y, """
policy "new" {
  allow "orders" { principal = "spiffe://example.org/frontend", path = "/orders/**", header = { ["x-region"] = "us" } },
  allow "admin" { principal = authenticated, path = "/admin/**" },
  allow "team" { principal = authenticated, path = "/hello", when = function(r) return r.header["x-team"] == "a" end },
  allow "search" { principal = anyone, path = "/search" },
}""".replace("principal = authenticated", 'principal = "authenticated"'))
            self.assertEqual(report["newly_allowed"], 2)  # the admin page, and the order from the US
            self.assertEqual(report["newly_denied"], 6)   # orders without a region: its absence was read
            self.assertEqual((report["undecided"], report["unknown"]), (2, {"header.x-team": 2}))
            self.assertEqual(report["same_effect_other_rule"], 1)
            groups = {(g["difference"], g["candidate"]): g for g in report["groups"]}
            self.assertEqual(groups[("newly_allowed", "new/admin")]["principals"], {f"{DOMAIN}/frontend": 1})
            self.assertEqual(len(groups[("newly_denied", "default")]["examples"]), 3)
            # An unknown value does not matter if a known one decides.
            report = self.replay(y, """
policy "new" {
  deny "all" { path = "/**" },
  allow "team" { principal = "authenticated", path = "/**", when = function(r) return r.header["x-team"] == "a" end },
}""")
            self.assertEqual((report["undecided"], report["newly_denied"]), (0, 8))
            report = self.replay(y, """
policy "new" {
  deny "some" { path = "/hello", header = { ["x-evil"] = "1" } },
  allow "all" { principal = anyone, path = "/**" },
}""")
            self.assertEqual(report["unknown"], {"header.x-evil": 2})
            self.assertEqual(report["newly_allowed"], 2)
            code, _, err = yett("replay", "-c", str(y.dir / "yett.json"), "--policy", self.candidate(y, "nonsense"))
            self.assertEqual(code, 2, err)

    def test_a_shadow_policy_changes_nothing_and_reports_differences(self):
        with Nginx() as up, Yett(up.address, rules=SHOP) as y:
            shadow = y.dir / "candidate"
            shadow.mkdir()
            (shadow / "p.lua").write_text('policy "next" { allow "all" { principal = "authenticated", path = "/**" }, deny "no hello" { path = "/hello" } }')
            y.config["policy"]["shadow"] = {"engines": [{"name": "next", "type": "lua", "path": "candidate"}]}
            y.write_config()
            wait_for("the reload", lambda: y.log().count("reloaded") == 1)
            self.assertEqual([y.get(path)[0] for path in ("/hello", "/admin/x", "/search?user=alice")], [200, 403, 404])
            settled(y, 3)
            shadows = {row["path"]: row["outcome"].get("shadow", "") for row in y.query()}
            self.assertEqual(shadows, {"/hello": "deny next/no hello", "/admin/x": "allow next/all", "/search": ""})
            metrics = y.admin("/metrics")[1]
            for result, count in (("same", 1), ("newly_denied", 1), ("newly_allowed", 1)):
                self.assertIn(f'yett_shadow_decisions_total{{result="{result}"}} {count}\n', metrics)
            (shadow / "p.lua").write_text("nonsense")
            wait_for("the refusal", lambda: "shadow: policy" in y.log())
            self.assertEqual(y.get("/hello")[0], 200)
            del y.config["policy"]["shadow"]
            y.write_config()
            wait_for("the reload", lambda: y.log().count("reloaded") == 3)
            y.get("/hello")
            settled(y, 5)
            self.assertNotIn("shadow", y.query()[-1]["outcome"])
            self.assertTrue(y.verify()["ok"])

    def test_suggest_and_coverage(self):
        with Nginx() as up, Yett(up.address, rules=SHOP) as y:
            traffic(y, 12)
            settled(y, 17)
            config = str(y.dir / "yett.json")
            code, out, err = yett("suggest", "-c", config, "--out", str(y.dir / "suggested"))
            self.assertEqual(code, 1, err)  # one order was allowed and denied, by a header that no suggested rule reads
            self.assertIn("0 newly denied, 1 newly allowed", out)
            text = (y.dir / "suggested/suggested.lua").read_text()
            self.assertIn("CAREFUL: the same was denied 1 time", text)
            y.write_rules(SHOP.replace('return false, "wrong region"', "return true"))
            wait_for("the reload", lambda: y.log().count("reloaded") == 1)
            later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
            time.sleep(1.1)
            traffic(y, 12)
            settled(y, 34)
            code, out, err = yett("suggest", "-c", config, "--out", str(y.dir / "again"), "--since", later)
            self.assertEqual(code, 0, out + err)
            text = (y.dir / "again/suggested.lua").read_text()
            self.assertIn('path      = "/orders/{order_id}"', text)
            self.assertNotIn("/admin", text)
            self.assertEqual(yett("test", str(y.dir / "again"))[0], 0)
            self.assertEqual(yett("suggest", "-c", config, "--out", str(y.dir / "again"))[0], 2)  # does not overwrite
            out = json.loads(yett("log", "coverage", "-c", config, "--policy", str(y.dir / "rules"), "--format", "json", "--since", later)[1])
            used = {rule["rule"]: rule["decisions"] for rule in out["rules"]}
            self.assertEqual(used, {"closed": 1, "reads": 13, "hello": 1, "looks": 0})
            self.assertEqual(out["undecided"], 1)
            lines = {line["line"]: line["times"] for line in out["lines"]}
            self.assertEqual((lines["test.lua:6"], lines["test.lua:7"]), (13, 1))


    def test_replay_reports_undecided_if_headers_set_by_the_old_policy_are_unknown(self):
        """Headers that the old policy sets are removed from each request. The log must record which ones they are, even with a plugin
        engine or with invalid UTF-8 in the policy files; without that record, such a header's value is unknown."""
        plugin = pathlib.Path(BINARY).parent / "plugins/cidr_list.so"
        old = b"""policy "p" {
  -- r\xe9gion
  allow "a" { principal = anyone, path = "/hello", set_header = { ["x-internal"] = "yes" } },
  deny "secret" { path = "/v1", header = { ["x-internal"] = "yes" } },
}"""
        new = """policy "p" { allow "a" { principal = anyone, path = "/hello" }, allow "secret" { principal = anyone, path = "/v1", header = { ["x-internal"] = "yes" } } }"""
        with Nginx() as up:
            y = Yett(up.address)
            (y.dir / "rules/test.lua").write_bytes(old)
            (y.dir / "rules/picture.json.png").write_bytes(b"\x89PNG\r\n")
            shutil.copy(plugin, y.dir / "list.so")
            y.replace("blocked.txt", "203.0.113.0/24\n")
            y.config["policy"]["engines"].append({"name": "list", "type": "plugin", "role": "veto", "path": "list.so", "settings": "blocked.txt"})
            y.write_config()
            with y:
                self.assertEqual([y.get("/hello")[0], y.get("/v1", headers={"x-internal": "yes"})[0]], [200, 403])
                settled(y, 2)
                report = self.replay(y, new)
                self.assertEqual((report["undecided"], report["unknown"]), (1, {"header.x-internal": 1}))
                y.stop()
                one = sqlite3.connect(y.dir / "yett.db")
                document = json.loads(one.execute("SELECT document FROM policies").fetchone()[0])
                self.assertEqual(document["owned_headers"], ["x-internal"])
                files = document["engines"][0]
                self.assertEqual((files["files"], list(files["hex_files"])), ({}, [b"test.lua".hex()]))
                self.assertEqual(bytes.fromhex(files["hex_files"][b"test.lua".hex()]), old)
                one.execute("DELETE FROM policies")
                one.commit()
                one.close()
                report = self.replay(y, new)
                self.assertEqual((report["undecided"], report["unknown"]), (1, {"header.x-internal": 1}))

    def test_show_says_undecided_if_a_value_was_masked(self):
        rules = """policy "p" {
  deny "blocked" { path = "/hello", header = { ["x-token"] = "evil" } },
  allow "known" { principal = authenticated, path = "/hello", when = function(r) return r.header["x-token"] == "good" end },
  allow "post" { principal = authenticated, method = "POST", path = "/hello", header = { ["x-token"] = "good" } },
}"""
        with Nginx() as up, Yett(up.address, rules=rules) as y:
            self.assertEqual(y.get("/hello", headers={"x-token": "good"})[0], 200)
            settled(y, 1)
            show = ("log", "show", y.query()[0]["id"], "-c", str(y.dir / "yett.json"))
            code, out, err = yett(*show, "--format", "json")
            self.assertEqual(code, 3, err)
            rules = {rule["rule"]: (rule["applies"], rule.get("undecided", rule.get("failed"))) for rule in json.loads(out)["explain"]}
            self.assertEqual(rules, {"blocked": (None, "header.x-token"), "known": (None, "header.x-token"), "post": (False, "method")})
            self.assertIn("undecided deny p/blocked (test.lua:2): it reads header.x-token, which the log does not have", yett(*show)[1])


class Keeping(unittest.TestCase):
    def test_rotation_and_retention_under_load(self):
        rules = 'policy "p" { allow "all" { principal = anyone, path = "/**" } }'
        with Nginx() as up:
            y = Yett(up.address, rules=rules, audit={"database": "yett.db", "key_file": "certs/audit.key", "rotate_size": "1MiB"}).plaintext()
            with y:
                stop = threading.Event()
                codes = set()

                def client():
                    sock = y.raw(30)
                    while not stop.is_set():
                        sock.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                        data = b""
                        while b"hello\n" not in data and b" 503 " not in data:
                            data += sock.recv(65536)
                        codes.add(data[9:12])
                    sock.close()

                threads = [threading.Thread(target=client) for _ in range(4)]
                [t.start() for t in threads]
                wait_for("two files to be closed", lambda: len(list(y.dir.glob("yett.0*.db"))) >= 2, 60)
                # It verifies while it is being written.
                config = str(y.dir / "yett.json")
                for _ in range(5):
                    code, out, err = yett("log", "verify", "-c", config, "--key", str(y.dir / "certs/audit.pub"))
                    self.assertEqual(code, 0, out + err)
                    self.assertIn("authenticated", out)
                stop.set()
                [t.join() for t in threads]
                self.assertEqual(codes, {b"200"})

    def test_a_long_stream_records_heartbeats(self):
        def slow(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
            for _ in range(10):
                connection.sendall(b"x" * 10)
                time.sleep(0.15)

        with Service(slow) as s:
            y = Yett(s.address, audit={"database": "yett.db", "durability": "strict", "heartbeat": "300ms"}, rules=SHOP)
            with y:
                self.assertEqual(y.get("/hello")[0], 200)
                settled(y, 1)
                rows = sqlite3.connect(y.dir / "yett.db").execute("SELECT decision_seq, bytes_out FROM heartbeats ORDER BY seq").fetchall()
                self.assertGreaterEqual(len(rows), 3)
                self.assertEqual(sorted(rows), rows)
                self.assertTrue(y.verify()["ok"])


def flood(y, count):
    """Sends `count` denied requests on four plaintext connections."""
    def client(n):
        sock = y.raw(60)
        for _ in range(n):
            sock.sendall(b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n")
            data = b""
            while b"admin is closed" not in data:
                data += sock.recv(65536)
        sock.close()

    threads = [threading.Thread(target=client, args=(count // 4,)) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]


def seqs_in(lines):
    return [json.loads(line[line.index("{"):])["seq"] for line in lines]


def others_say(files, *options):
    """The output of the independent verifier, which shares no code with Yett."""
    done = subprocess.run(["/usr/bin/python3", str(ROOT / "tools/yett_verify.py"), *options, *map(str, files)], capture_output=True, text=True, timeout=120 * SLOW)
    return done.returncode, done.stdout + done.stderr


class OtherHands(unittest.TestCase):
    """The log read by programs other than Yett."""

    def test_the_other_verifier_agrees(self):
        with Nginx() as up:
            y = Yett(up.address, rules=SHOP, audit={"database": "yett.db", "key_file": "certs/audit.key", "checkpoint_records": 50})
            y.start()
            for _ in range(3):
                for path in ("/hello", "/orders/1?a=b", "/closed", "/hello"):
                    y.get(path)
                y.process.kill()  # a gap, and a tail that no checkpoint covers
                y.process.wait()
                y.start()
            y.get("/hello")
            y.stop()
            db, key = y.dir / "yett.db", str(y.certs / "audit.pub")
            code, out, err = yett("log", "erase", "-c", str(y.dir / "yett.json"), "--principal", f"{DOMAIN}/*", "--yes")
            self.assertEqual(code, 0, err)
            y.start()
            for _ in range(5):
                y.get("/hello")
            y.stop()
            ours = y.verify()
            self.assertTrue(ours["ok"], ours)
            self.assertGreater(ours["erased"], 0)  # a kill may lose the most recent requests
            self.assertEqual(others_say([db], "--key", key), (0, f"ok: {ours['records']} records, head {ours['head']}\n"))
            stranger = pathlib.Path(tempfile.mkdtemp(dir=y.dir))
            run("certs", "init", "--dir", str(stranger))
            code, out = others_say([db], "--key", str(stranger / "audit.pub"))
            self.assertEqual((code, out), (1, "BROKEN: the last checkpoint is not signed by the expected key\n"))
            with sqlite3.connect(db) as change:
                change.execute("UPDATE events SET detail = 'x' WHERE what = 'gap'")
            code, out = others_say([db])
            self.assertEqual(code, 1)
            self.assertRegex(out, r"^BROKEN: record \d+: column `detail` of table `events` differs from the record")
            self.assertIn(out.split(":")[1].strip() + ":", y.verify()["broken"])

    def test_sql_with_yett_the_sqlite_shell_and_python(self):
        with Nginx() as up, Yett(up.address, rules=SHOP) as y:
            for _ in range(20):
                y.get("/hello")
                y.get("/closed")
            settled(y, 40)
            db = str(y.dir / "yett.db")
            counts = "SELECT effect, count(*) AS n FROM decisions WHERE path = '/hello' GROUP BY effect"
            code, out, err = yett("log", "sql", "--log", db, "--format", "json", counts)
            self.assertEqual((code, out), (0, '{"effect":"allow","n":20}\n'), err)
            if SLOW == 1:  # an extension built with sanitizers cannot be loaded into other programs
                self.by_others(y, db, counts)
            for statement, why in (("DELETE FROM events", "only reads of"), ("SELEC", "syntax error"), ("PRAGMA user_version", "only reads of"),
                                   ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", "took longer than 1 s: raise --seconds")):
                code, out, err = yett("log", "sql", "--log", db, "--seconds", "1", statement)
                self.assertEqual((code, out, why in err), (2, "", True), err)
            self.assertTrue(y.verify()["ok"])

    def test_ordinary_tables_with_a_signed_manifest(self):
        with Nginx() as up, Yett(up.address, rules=SHOP, audit={"database": "yett.db", "key_file": "certs/audit.key"}) as y:
            for _ in range(10):
                y.get("/hello")
                y.get("/closed")
            settled(y, 20)
            db, plain, key, pub = (str(y.dir / name) for name in ("yett.db", "plain.db", "certs/audit.key", "certs/audit.pub"))
            code, out, err = yett("log", "export", "--log", db, "--to", plain, "--effect", "deny", "--key", key)
            self.assertEqual(code, 0, err)
            manifest = json.loads(out)
            self.assertEqual({name: table["rows"] for name, table in manifest["tables"].items()}, {"decisions": 10, "outcomes": 10})
            self.assertEqual(yett("log", "verify-export", plain, "--key", pub)[:2], (0, "ok: the tables match the manifest, which is signed\n"))
            with sqlite3.connect(plain) as tables:
                rows = tables.execute("SELECT d.path, o.status FROM decisions d JOIN outcomes o ON o.decision_seq = d.seq").fetchall()
                self.assertEqual(set(rows), {("/closed", 403)})
                names = [row[1] for row in tables.execute("PRAGMA table_info(decisions)")]
                lines = tables.execute(f"SELECT {'||chr||'.join(f'quote({name})' for name in names)} FROM decisions, (SELECT ',' AS chr) ORDER BY seq").fetchall()
                digest = hashlib.sha256("".join(line + "\n" for line, in lines).encode()).hexdigest()
                self.assertEqual(digest, manifest["tables"]["decisions"]["sha256"])  # as docs/audit.md says, with SQL only
                tables.execute("UPDATE decisions SET effect = 'allow'")
            self.assertEqual(yett("log", "verify-export", plain)[:2], (1, "BROKEN: table `decisions` does not match its manifest\n"))
            self.assertIn("already exists", yett("log", "export", "--log", db, "--to", plain)[2])
            other = str(y.dir / "other.db")
            self.assertEqual(yett("log", "export", "--log", db, "--to", other)[0], 0)
            self.assertIn("is not signed by", yett("log", "verify-export", other, "--key", pub)[1])
            with sqlite3.connect(other) as tables:
                tables.execute("UPDATE manifest SET document = replace(document, '\"first\":', '\"first\":1')")
            self.assertEqual(yett("log", "verify-export", other)[0], 0)  # it is not signed

    def by_others(self, y, db, counts):
        extension = str(pathlib.Path(BINARY).parent / "yett_log")
        shell = subprocess.run(["sqlite3", "-readonly", db, f".load {extension}", counts], capture_output=True, text=True)
        self.assertEqual((shell.stdout, shell.stderr), ("allow|20\n", ""))
        python = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
        python.enable_load_extension(True)
        python.load_extension(extension)
        rows = python.execute("SELECT d.seq, d.principal, o.status FROM decisions d JOIN outcomes o ON o.decision_seq = d.seq WHERE d.effect = 'deny' ORDER BY d.seq DESC LIMIT 3").fetchall()
        self.assertEqual([row[2] for row in rows], [403] * 3)
        self.assertEqual(rows[0][0], max(row["seq"] for row in y.query("--effect", "deny")))


class Leaving(unittest.TestCase):
    RECORDS = int(os.environ.get("YETT_TEST_RECORDS") or 4_000)

    def yett(self, **sink):
        y = Yett("127.0.0.1:1", rules=SHOP, audit={"database": "yett.db", "sinks": [{"name": "out", **sink}]}).plaintext()
        return y

    def lag(self, y):
        for line in y.admin("/metrics")[1].splitlines():
            if line.startswith('yett_audit_sink_lag_records{sink="out"}'):
                return int(line.split()[1])
        return None

    def head(self, y):
        """The number of the last record, once no more are added."""
        def now():
            return sqlite3.connect(y.dir / "yett.db").execute("SELECT max(last) FROM (SELECT last FROM blocks UNION ALL SELECT last FROM tail)").fetchone()[0]

        def still():
            seq = now()
            time.sleep(0.4 * SLOW)
            return seq if now() == seq else None

        return wait_for("the last record", still, 20)

    def check(self, got, head, window=0):
        """All records arrived, with at most `window` duplicates."""
        self.assertEqual(set(got), set(range(1, head + 1)))
        self.assertLessEqual(len(got) - head, window)

    def test_files_are_rotated_and_a_kill_loses_nothing(self):
        y = self.yett(type="file", path="lines.jsonl", rotate_size="100KiB", keep=1000)
        with y:
            flood(y, 40)
            wait_for("a position", (y.dir / "yett.db.sink-out").exists, 20)
            for _ in range(3):
                flood(y, self.RECORDS // 10)
                y.process.kill()
                y.process.wait()
                with open(y.dir / "lines.jsonl", "ab") as f:
                    f.write(b'{"seq":9')  # a torn line
                y.start()
            for _ in range(20):  # on a slow disk a kill loses most of the recent requests
                flood(y, self.RECORDS // 10)
                head = self.head(y)
                wait_for("the lag to go", lambda: f'{{"seq":{head},' in "".join(p.read_text() for p in y.dir.glob("lines.jsonl*")), 20)
                if len(list(y.dir.glob("lines.jsonl*"))) > 2:
                    break
            names = sorted((p for p in y.dir.glob("lines.jsonl.*")), key=lambda p: -int(p.suffix[1:])) + list(y.dir.glob("lines.jsonl"))
            self.assertGreater(len(names), 2)
            for name in names:  # a file is rotated after the record that fills it
                self.assertLess(name.stat().st_size, (100 << 10) + 2000)
            got = [seq for name in names for seq in seqs_in(name.read_text().splitlines())]
            self.assertEqual(got, sorted(set(got)))  # the position is read from the file: no duplicates
            self.assertEqual(len(got), y.verify()["records"])
            self.assertEqual(got[-1], head)

    def test_rsyslog_over_tls_goes_down_and_comes_back(self):
        y = Yett("127.0.0.1:1", rules=SHOP)
        port = free_port()
        folder = pathlib.Path(tempfile.mkdtemp(prefix="yett-rsyslog-"))
        (folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{folder}" defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{y.certs}/bundle.pem"
       defaultNetstreamDriverCertFile="{y.certs}/server.pem" defaultNetstreamDriverKeyFile="{y.certs}/server.key" maxMessageSize="64k")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="whole" type="string" string="%msg%\\n")
input(type="imtcp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{folder}/out" template="whole")
""")

        def start():
            process = subprocess.Popen(["rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for("rsyslog", lambda: self.listens(port), 20)
            return process

        y.config["audit"]["sinks"] = [{"name": "out", "type": "syslog", "address": f"localhost:{port}", "bundle": "certs/bundle.pem", "timeout": "3s"}]
        y.plaintext()
        process = start()
        try:
            with y:
                flood(y, 400)
                wait_for("the lag to go", lambda: self.lag(y) == 0, 30)
                process.terminate()
                process.wait(20)
                flood(y, self.RECORDS // 2)
                wait_for("the lag to show", lambda: (self.lag(y) or 0) >= self.RECORDS, 20)
                wait_for("the report", lambda: "audit sink accepts no records" in y.log(), 20)
                process = start()
                wait_for("the report", lambda: "audit sink accepts records again" in y.log(), 60)
                head = self.head(y)
                wait_for("the lag to go", lambda: self.lag(y) == 0, 120)
            wait_for("rsyslog to write", lambda: len(set(seqs_in((folder / "out").read_text().splitlines()))) >= head, 20)
            self.check([s for s in seqs_in((folder / "out").read_text().splitlines()) if s <= head], head, 1500)
        finally:
            process.terminate()
            process.wait(20)
            shutil.rmtree(folder, ignore_errors=True)

    def test_a_receiver_that_cannot_be_verified_gets_nothing(self):
        other = pathlib.Path(tempfile.mkdtemp(prefix="yett-other-"))
        run("certs", "init", "--dir", str(other), "--trust-domain", "other.org")
        seen = []

        def listener(connection):
            with contextlib.suppress(OSError):
                seen.append(connection.recv(65536))
                time.sleep(0.2)

        y = Yett("127.0.0.1:1", rules=SHOP)
        shutil.copy(other / "bundle.pem", y.certs / "other.pem")
        port = free_port()
        server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(y.certs / "server.pem"), "-key",
                                   str(y.certs / "server.key"), "-quiet", "-naccept", "20"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            wait_for("openssl", lambda: self.listens(port), 20)
            y.config["audit"]["sinks"] = [
                {"name": "out", "type": "syslog", "address": f"localhost:{port}", "bundle": "certs/other.pem", "timeout": "2s"},
                {"name": "web", "type": "otlp", "url": f"https://localhost:{port}/v1/logs", "bundle": "certs/other.pem", "timeout": "2s"}]
            y.plaintext()
            with y:
                flood(y, 40)
                wait_for("both to fail", lambda: y.log().count("audit sink accepts no records") == 2, 20)
                self.assertIn("certificate", y.log())
                self.assertGreater(self.lag(y), 0)
        finally:
            server.kill()
            self.assertNotIn(b"admin", server.communicate()[0] or b"")
            shutil.rmtree(other, ignore_errors=True)

    def test_otlp_over_http(self):
        got = []
        down = threading.Event()

        class Receiver(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if down.is_set():
                    self.send_response(503)
                    self.send_header("content-length", "0")
                    return self.end_headers()
                for record in body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
                    got.append(record)
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with self.yett(type="otlp", url=f"http://127.0.0.1:{server.server_port}/v1/logs") as y:
            flood(y, 40)
            wait_for("the lag to go", lambda: self.lag(y) == 0, 20)
            down.set()
            flood(y, 400)
            wait_for("the lag to show", lambda: (self.lag(y) or 0) >= 800, 20)
            y.stop()
            y.start()
            down.clear()
            head = self.head(y)
            wait_for("the lag to go", lambda: self.lag(y) == 0 and f'{{"seq":{head},' in got[-1]["body"]["stringValue"], 30)
            self.check([s for s in seqs_in([r["body"]["stringValue"] for r in got]) if s <= head], head)
            self.assertEqual({r["severityText"] for r in got}, {"INFO", "WARN"})
        server.shutdown()

    @staticmethod
    def listens(port):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False


if __name__ == "__main__":
    unittest.main()
