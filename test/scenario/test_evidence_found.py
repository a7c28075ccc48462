"""Bugs found in a review of the audit trail that its other tests did not catch."""
import contextlib
import json
import os
import socket
import ssl
import time
import unittest

from fake_clock import fake_clock
from harness import BINARY, DOMAIN, SLOW, Nginx, Yett, hello_times, run, wait_for
from test_cli import yett
import test_evidence
from test_evidence import OPEN, config, fill
from test_sinks import Receiver

SHADOW = 'policy "next" { deny "all" { principal = anyone, path = "/**" } }'


class Reload(unittest.TestCase):
    def test_a_certificate_is_renewed_while_the_configuration_is_refused(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y:
            fresh = y.dir / "fresh"
            run("certs", "init", "--dir", str(fresh))
            run("certs", "issue", f"{DOMAIN}/server", "--dir", str(fresh), "--dns", "localhost", "--ip", "127.0.0.1")
            y.replace("yett.json", "{ broken")
            wait_for("the refusal", lambda: "reload refused" in y.log())
            for name in ("server.key", "server.pem", "bundle.pem"):
                y.replace(f"certs/{name}", (fresh / name).read_text())
            leaf = ssl.PEM_cert_to_DER_cert((fresh / "server.pem").read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n")
            wait_for("the new certificate", lambda: ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", y.port))) == leaf)

    def test_a_broken_shadow_policy_is_reported_once_per_edit(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y:
            (y.dir / "next").mkdir()
            (y.dir / "next/p.lua").write_text(SHADOW)
            y.config["policy"]["shadow"] = {"engines": [{"name": "next", "type": "lua", "path": "next"}]}
            y.write_config()
            wait_for("the shadow", lambda: "reloaded" in y.log())
            y.replace("next/p.lua", "policy (")
            wait_for("the shadow's problem", lambda: y.log().count("shadow policy refused") == 1)
            y.replace("yett.json", "{ broken")
            wait_for("the refusal", lambda: "reload refused" in y.log())
            before = y.log().count("shadow policy refused")
            for edit in range(3):
                y.write_rules(OPEN + f" -- {edit}")
                wait_for("the policy", lambda: len([e for e in y.query("--events") if e["event"] == "policy"]) >= 3 + edit)
            self.assertLessEqual(y.log().count("shadow policy refused") - before, 3)


class Log(unittest.TestCase):
    def test_the_page_of_accepted_records_may_be_truncated(self):
        with Nginx() as up, Yett(up.address, rules=OPEN).plaintext() as y:
            hello_times(y, 30, 5)
            os.truncate(y.dir / "yett.db.taken", 0)
            hello_times(y, 30, 5)
            wait_for("the records", lambda: len(y.query()) == 10)

    def test_policy_sources_larger_than_the_size_limit_do_not_stop_the_service(self):
        with Nginx() as up:
            y = Yett(up.address, rules='local big = data "big.json"\n' + OPEN, audit={"database": "yett.db", "retention": {"size": "1MiB", "min_age": "2s"}}).plaintext()
            (y.dir / "rules/big.json").write_text(json.dumps({"hosts": ["x" * 50] * 30_000}))
            y.write_config()
            with y:
                hello_times(y, 30, 5)
                until = time.monotonic() + 12
                while time.monotonic() < until:
                    self.assertIn("[+] audit", y.admin("/readyz?verbose")[1])
                    time.sleep(0.5)
                hello_times(y, 30, 5)

    @unittest.skipUnless("release" in BINARY, "a preloaded library conflicts with sanitizers")
    def test_a_clock_that_was_wrong_for_a_moment_stops_nothing(self):
        with Nginx() as up:
            y = test_evidence.Readers().small(up, rotate_size="0B", retention={"size": "1MiB", "min_age": "3s"})
            with fake_clock(y.dir):
                y.start()
            y.replace("ahead", str(10 * 365 * 86400))
            hello_times(y, 30, 3)
            time.sleep(2)
            y.replace("ahead", "0")
            with contextlib.suppress(AssertionError):  # the log is full of records that are too young
                fill(y, 4000)
            wait_for("the oldest to be old enough", lambda: [e for e in y.query("--events") if e["event"] == "retention"], 30)
            wait_for("room", lambda: y.admin("/readyz")[0] == 200, 30)
            hello_times(y, 30, 3)
            y.stop()

    def test_nothing_is_erased_if_the_configuration_says_hold(self):
        with Nginx() as up:
            y = Yett(up.address, rules=OPEN).plaintext()
            y.start()
            hello_times(y, 30, 5)
            wait_for("the records", lambda: len(y.query()) == 5)
            y.stop()
            y.config["audit"]["hold"] = True
            y.write_config()
            code, _, err = yett("log", "erase", *config(y), "--principal", "anonymous", "--yes")
            self.assertEqual((code, "is on hold (`audit.hold`)" in err), (2, True), err)

    def test_a_report_lists_exactly_the_policy_changes_that_happened(self):
        with Nginx() as up:
            y = test_evidence.Readers().small(up)
            (y.dir / "next").mkdir()
            (y.dir / "next/p.lua").write_text(SHADOW)
            y.config["policy"]["shadow"] = {"engines": [{"name": "next", "type": "lua", "path": "next"}]}
            y.write_config()
            with y:
                hello_times(y, 30, 5)
                y.write_rules(OPEN + " -- changed")
                wait_for("the policy", lambda: "reloaded" in y.log())
                fill(y, 6000)
                wait_for("rotation", lambda: list(y.dir.glob("yett.0*.db")))
                out = y.dir / "report.html"
                self.assertEqual(yett("log", "report", *config(y), "--out", str(out))[0], 0)
                changes = out.read_text().split("Changes of policy")[1].split("<h2>")[0]
                self.assertEqual(changes.count("<p><b>"), 2, changes)
                self.assertIn("-- changed</ins>", changes)


class Sinks(unittest.TestCase):
    def test_a_silent_receiver_does_not_delay_a_stop(self):
        silent = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/logs"
        with Nginx() as up:
            y = Yett(up.address, rules=OPEN, shutdown={"sink_flush_timeout": "500ms"},
                     audit={"database": "yett.db", "sinks": [{"name": "out", "type": "otlp", "url": url, "timeout": "60s"}]}).plaintext()
            y.start()
            hello_times(y, 30, 5)
            connection, _ = silent.accept()
            began = time.monotonic()
            y.stop()
            self.assertLess(time.monotonic() - began, 5 * SLOW)
            self.assertTrue(y.verify()["ok"])
            connection.close()
            silent.close()

    def test_a_receiver_that_refuses_everything_causes_no_endless_loop(self):
        with Nginx() as up, Receiver(lambda records: (400, {}, b"no")) as receiver:
            y = Yett(up.address, rules=OPEN, audit={"database": "yett.db", "sinks": [{"name": "out", "type": "otlp", "url": receiver.url}]}).plaintext()
            refused = y.dir / "yett.db.sink-out.refused"
            with y:
                hello_times(y, 30, 1)
                wait_for("the lag to end", lambda: 'yett_audit_sink_lag_records{sink="out"} 0\n' in y.admin("/metrics")[1], 90)
                before = len(refused.read_text().splitlines())
                time.sleep(4)
                self.assertEqual(len(refused.read_text().splitlines()), before)
                told = [e for e in y.query("--events") if e["event"] == "sink refused"]
                self.assertEqual(before, 2 * len(told))  # each one's `sink refused` event is refused too


if __name__ == "__main__":
    unittest.main()
