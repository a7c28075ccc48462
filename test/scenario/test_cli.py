"""What users see on the command line, especially when something is wrong."""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

from harness import BINARY, DOMAIN, SLOW, Nginx, Yett, environment, run, wait_for


def yett(*args, env=None, cwd=None):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, env={**environment(), **(env or {})}, cwd=cwd, timeout=60 * SLOW)
    return done.returncode, done.stdout, done.stderr


class CommandLine(unittest.TestCase):
    def test_version_help_and_wrong_usage(self):
        self.assertEqual(yett("version")[0], 0)
        self.assertRegex(yett("version")[1], r"^yett \d+\.\d+\.\d+( \([0-9a-f]{12}\))?\nbuilt with OpenSSL 3\.\S+, SQLite 3\.\S+, Lua 5\.4\S*, .*POCO \d")
        self.assertEqual(yett("--help")[0], 0)
        for args in ((), ("rum",), ("run", "--confg", "x"), ("log",), ("log", "query", "--effect", "maybe"), ("certs", "issue")):
            self.assertEqual(yett(*args)[0], 2, args)
        code, _, err = yett("version", env={"YETT_CONFG": "x"})
        self.assertEqual(code, 0)
        self.assertIn("the environment variable `YETT_CONFG` is not a Yett setting, did you mean `YETT_CONFIG`?", err)
        self.assertEqual(yett("--version")[:2], yett("version")[:2])
        code, _, err = yett("run", "-c", "/nonexistent.json")
        self.assertEqual(code, 2)
        self.assertIn("/nonexistent.json: there is no such file", err)

    def test_check_reports_all_problems_at_once(self):
        y = Yett("127.0.0.1:1", rules='policy "p" {\n  allow "a" { principal = anyone, pathh = "/x" },\n}')
        y.config["listeners"][0]["adress"] = y.config["listeners"][0].pop("address")
        y.write_config()
        code, out, err = yett("check", "-c", str(y.dir / "yett.json"))
        self.assertEqual(code, 2)
        self.assertIn("/listeners/0/adress: unknown key, did you mean `address`?", err)
        self.assertIn("rules/test.lua:2: rule `a`: unknown field `pathh`, did you mean `path`?", err)
        self.assertTrue(err.endswith("yett: 3 problems\n"), err)
        self.assertEqual(yett("run", "-c", str(y.dir / "yett.json"))[0], 2)
        self.assertEqual(yett("check", str(y.dir / "rules"))[0], 2)
        # If the file is valid, everything it refers to is checked too.
        y.config["listeners"][0]["address"] = y.config["listeners"][0].pop("adress")
        y.config["identity"]["svid"]["private_key"] = "certs/frontend.key"
        y.write_config()
        err = yett("check", "-c", str(y.dir / "yett.json"))[2]
        for part in ("unknown field `pathh`", "the private key does not match the certificate"):
            self.assertIn(part, err)
        y.write_rules('policy "p" { allow "a" { principal = anyone } }')
        # A name may be unknown where the check runs, and must not keep other clusters from serving: a note.
        y.config["identity"]["svid"]["private_key"] = "certs/server.key"
        y.config["clusters"][0]["endpoints"] = ["no.such.host.invalid:1"]
        y.write_config()
        code, out, err = yett("check", "-c", str(y.dir / "yett.json"))
        self.assertEqual(code, 0, err)
        self.assertIn("`no.such.host.invalid:1` cannot be looked up", out + err)
        code, out, _ = yett("check", str(y.dir / "rules"))
        self.assertEqual(code, 0)
        self.assertIn("1 allow and 0 deny rules", out)

    def test_unsafe_files_are_refused(self):
        y = Yett("127.0.0.1:1")
        (y.certs / "server.key").chmod(0o644)
        for command, status in (("check", 0), ("run", 2)):  # check only warns, run refuses
            code, _, err = yett(command, "-c", str(y.dir / "yett.json"))
            self.assertEqual(code, status)
            self.assertIn("others may read or write this key: it must be 0400, 0440, 0600 or 0640", err)
        (y.certs / "server.key").chmod(0o600)
        (y.dir / "rules/test.lua").chmod(0o666)
        self.assertIn("run `chmod go-w` on it", yett("run", "-c", str(y.dir / "yett.json"))[2])

    def test_certs(self):
        with tempfile.TemporaryDirectory() as d:
            self.assertEqual(yett("certs", "init", cwd=d)[0], 0)
            self.assertEqual(yett("certs", "init", cwd=d)[0], 2)
            code, out, _ = yett("certs", "issue", f"{DOMAIN}/ns/a", cwd=d)
            self.assertEqual(code, 0)
            self.assertEqual(os.stat(f"{d}/certs/dev/a.key").st_mode & 0o777, 0o600)
            before = open(f"{d}/certs/dev/ca.key").read()
            for name in ("ca", "bundle", "audit", "mask", "cache"):  # the caller's name becomes a file name
                code, _, err = yett("certs", "issue", f"{DOMAIN}/sa/{name}", cwd=d)
                self.assertEqual((code, "choose another name with --name" in err), (2, True), err)
            self.assertEqual(open(f"{d}/certs/dev/ca.key").read(), before)
            code, out, _ = yett("certs", "inspect", "certs/dev/a.pem", cwd=d)
            self.assertIn(f"spiffe id   {DOMAIN}/ns/a", out)
            self.assertRegex(out, rf"names +URI:{DOMAIN}/ns/a\n")
            self.assertRegex(out, r"\(\d+ (hours|days?) left\)")
            issued = open(f"{d}/certs/dev/a.pem").read()
            code, _, err = yett("certs", "issue", f"{DOMAIN}/other/a", cwd=d)  # another workload whose ID ends alike
            self.assertEqual((code, f"files of {DOMAIN}/ns/a already exist" in err), (2, True), err)
            self.assertEqual(open(f"{d}/certs/dev/a.pem").read(), issued)
            self.assertEqual(yett("certs", "issue", f"{DOMAIN}/ns/a", cwd=d)[0], 0)  # a renewal for the same workload
            code, _, err = yett("certs", "issue", "spiffe://elsewhere.org/ns/b", cwd=d)
            self.assertEqual((code, "is not in the trust domain of this CA" in err), (2, True), err)
            os.chmod(f"{d}/certs/dev", 0o777)
            for words in (("issue", f"{DOMAIN}/ns/c"), ("init", "--force")):
                code, _, err = yett("certs", *words, cwd=d)
                self.assertEqual((code, "others can write to it" in err), (2, True), err)
            os.chmod(f"{d}/certs/dev", 0o755)
            self.assertEqual(yett("certs", "issue", "spiffe://Example.org/a", cwd=d)[0], 2)
            self.assertEqual(yett("certs", "issue", DOMAIN, cwd=d)[0], 2)
            self.assertIn("cannot open", yett("certs", "inspect", "none.pem", cwd=d)[2])

    def test_profiles_of_certificates(self):
        with tempfile.TemporaryDirectory() as folder:
            at = pathlib.Path(folder)
            run("certs", "init", "--dir", folder)
            profiles = sorted((pathlib.Path(__file__).parents[2] / "certs/profiles").glob("*.json"))
            run("certs", "issue", *[word for file in profiles for word in ("--profile", str(file))], "--dir", folder)
            for file in profiles:
                said = run("certs", "inspect", str(at / f"{file.stem}.pem"))
                self.assertIn(json.loads(file.read_text())["id"], said)
            (at / "bad.json").write_text('{ "id": "spiffe://example.org/x", "dsn": ["a"] }')
            (at / "no.json").write_text("{}")
            for words, why in ((("--profile", str(at / "bad.json")), "bad.json:1: /dsn: unknown key, did you mean `dns`?"),
                               (("--profile", str(at / "no.json")), "`id` is missing"),
                               (("--profile", str(at / "none.json")), "none.json: cannot open"),
                               (("--profile", str(at / "bad.json"), "--name", "x"), "excludes"),
                               ((), "no SPIFFE ID: use")):
                code, _, err = yett("certs", "issue", *words, "--dir", folder)
                self.assertEqual(code, 2, words)
                self.assertIn(why, err)
            self.assertFalse((at / "x.pem").exists())

    def test_log_query_tail_and_verify(self):
        with Nginx() as nginx, Yett(nginx.address) as y:
            log = str(y.dir / "yett.db")
            tail = subprocess.Popen([BINARY, "log", "tail", "--log", log], stdout=subprocess.PIPE, text=True, env=environment())
            y.get("/hello")
            y.get("/hello?secret=1", who="other")
            y.get("/admin/x")
            wait_for("three records", lambda: len(y.query()) == 3)
            self.assertEqual([d["path"] for d in y.query("--effect", "deny")], ["/hello", "/admin/x"])
            self.assertEqual(len(y.query("--principal", f"{DOMAIN}/front*")), 2)
            self.assertEqual([d["rule"] for d in y.query("--path", "/admin*")], ["closed"])
            self.assertEqual(len(y.query("--rule", "default")), 1)
            self.assertEqual(len(y.query("--since", "1h", "--until", "2100-01-01")), 3)
            self.assertEqual(len(y.query("--until", "2020-01-01T00:00:00Z")), 0)
            first = y.query()[0]
            self.assertEqual(y.query("--id", first["id"])[0]["seq"], first["seq"])
            self.assertEqual(first["outcome"]["status"], 200)
            table = run("log", "query", "-c", str(y.dir / "yett.json"))
            self.assertRegex(table, r"TIME +EFFECT +STATUS +PRINCIPAL")
            self.assertRegex(table, rf"DENY +403 +{DOMAIN}/other +GET /hello +default")
            code, _, err = yett("log", "query", "--log", log, "--since", "yesterdayish")
            self.assertEqual(code, 2)
            self.assertIn("is not a time", err)
            self.assertEqual(yett("log", "verify", "--log", log)[0], 0)
            wait_for("the tail", lambda: True)
            time.sleep(0.6 * SLOW)
            tail.send_signal(signal.SIGTERM)
            out = tail.communicate(timeout=10)[0]
            self.assertEqual(len([line for line in out.splitlines() if "GET /" in line]), 3, out)
            self.assertEqual(y.admin("/healthz"), (200, "ok\n"))
            self.assertEqual(y.admin("/readyz"), (200, "ready\n"))
            self.assertEqual(y.admin("/config")[0], 404)
            self.assertIn('"rule":"closed"', y.socket_get("/policies"))
            self.assertEqual(os.stat(y.dir / "admin.sock").st_mode & 0o777, 0o600)
        y2 = Yett("127.0.0.1:1")
        code, _, err = yett("log", "query", "--log", str(y2.dir / "none.db"))
        self.assertEqual(code, 2)
        self.assertIn("none.db: cannot open", err)

    def test_tampering_is_exit_status_1(self):
        y = Yett("127.0.0.1:1").start()
        for _ in range(3):
            y.get("/admin/x")
        y.stop()
        db = sqlite3.connect(y.dir / "yett.db")
        db.execute("UPDATE events SET detail = 'another' WHERE seq = (SELECT min(seq) FROM events)")
        db.commit()
        db.close()
        code, out, _ = yett("log", "verify", "--log", str(y.dir / "yett.db"))
        self.assertEqual(code, 1)
        self.assertRegex(out, r"BROKEN: record \d: column `detail` of table `events` differs from the record")

    def test_a_log_that_cannot_be_written_answers_503_and_recovers(self):
        with Nginx() as nginx, Yett(nginx.address, audit={"database": "yett.db", "queue_records": 64}) as y:
            self.assertEqual(y.get("/hello")[0], 200)
            blocker = sqlite3.connect(y.dir / "yett.db", isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")

            def unavailable():
                status, _, body = y.get("/hello")
                return status == 503

            wait_for("503", unavailable, 15)
            wait_for("not ready", lambda: y.admin("/readyz")[0] == 503, 15)
            blocker.execute("ROLLBACK")
            blocker.close()
            wait_for("recovery", lambda: y.get("/hello")[0] == 200, 15)
            wait_for("ready", lambda: y.admin("/readyz")[0] == 200, 15)
            self.assertTrue(y.verify()["ok"])


if __name__ == "__main__":
    unittest.main()
