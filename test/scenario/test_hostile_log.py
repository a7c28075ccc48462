"""A log may be written by anybody: changes made while Yett was stopped are detected, and no command hangs on it."""
import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import time
import unittest

from harness import BINARY, DOMAIN, SLOW, Yett, environment, wait_for

SHOP = f'policy "shop" {{ allow "hello" {{ principal = "{DOMAIN}/*", path = "/hello" }}, deny "rest" {{ path = "/**", when = function(r) return r.path ~= "/hello" end }} }}'


class HostileLog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.y = Yett("127.0.0.1:1", rules=SHOP, audit={"database": "yett.db", "key_file": "certs/audit.key"})
        cls.y.start()
        for path in ("/hello", "/a", "/b?c=d"):
            cls.y.get(path)
        cls.y.stop()
        cls.key = str(cls.y.certs / "audit.pub")

    made = 0

    def changed(self, *statements, of="yett.db"):
        """A changed copy under a unique name, so that no files of another copy lie next to it."""
        HostileLog.made += 1
        path = self.y.dir / f"changed-{HostileLog.made}.db"
        shutil.copy(self.y.dir / of, path)
        with contextlib.closing(sqlite3.connect(path)) as db:
            for statement in statements:
                db.executescript(statement)
        return str(path)

    def run_within(self, seconds, *args):
        done = subprocess.run([BINARY, *args], capture_output=True, text=True, env=environment(), timeout=seconds * SLOW)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        return done

    def test_a_view_in_place_of_a_table_is_read_by_no_command(self):
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
        log = self.changed(f"DROP TABLE blocks; CREATE VIEW blocks AS {endless} i AS last, i AS first, 1 AS decisions, 0 AS time_min, 0 AS time_max, 0 AS late, x'' AS prev, x'' AS hash, x'' AS filter, x'' AS body FROM n")
        done = self.run_within(10, "log", "verify", "--log", log, "--key", self.key)
        self.assertEqual(done.returncode, 1)
        self.assertIn("its schema was changed", done.stdout)
        for command in (["query"], ["query", "--events"], ["export"], ["stats"], ["show", "01"], ["sql", "SELECT 1"], ["erase", "--principal", "spiffe://x/y", "--yes"],
                        ["coverage", "--policy", str(self.y.dir / "rules")]):
            done = self.run_within(10, "log", *command, "--log", log)
            self.assertEqual((done.returncode, done.stdout), (2, ""), command)
            self.assertIn("its schema was changed: view `blocks` is not part of yett's schema", done.stderr, command)
        done = self.run_within(10, "replay", "--policy", str(self.y.dir / "rules"), "--log", log)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)

    @unittest.skipUnless("release" in BINARY, "a build with sanitizers does not load into other programs")
    def test_a_view_in_place_of_a_table_is_refused_by_the_sqlite_extension_too(self):
        log = self.changed("DROP TABLE blocks; CREATE VIEW blocks AS SELECT 1 AS last")
        extension = str(pathlib.Path(BINARY).parent / "yett_log")
        for path, why in ((log, "its schema was changed: view `blocks` is not part of yett's schema"), (":memory:", "is not an audit log")):
            done = subprocess.run(["sqlite3", path, f".load {extension}", "SELECT count(*) FROM decisions"], capture_output=True, text=True, timeout=10 * SLOW)
            self.assertEqual(done.stdout, "")
            self.assertIn(f"this database: {why}", done.stderr)

    def test_rows_in_a_last_file_without_records_are_verified_too(self):
        folder = self.y.dir / "several"
        folder.mkdir()
        closed = folder / "yett.000000000009.db"
        shutil.copy(self.y.dir / "yett.db", closed)
        with contextlib.closing(sqlite3.connect(self.y.dir / "yett.db")) as db:
            schema = "".join(f"{sql};" for sql, in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
        with contextlib.closing(sqlite3.connect(folder / "yett.db")) as db:
            db.executescript(schema + "PRAGMA user_version = 4; INSERT INTO events VALUES (99, 1, 'reload accepted', 'forged', 'x', 1);")
        done = self.run_within(10, "log", "verify", "--log", str(closed), "--log", str(folder / "yett.db"), "--key", self.key)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("BROKEN", done.stdout)

    def test_an_erasure_without_the_key_is_refused_even_if_checkpoints_are_hidden(self):
        log = self.changed("UPDATE rare SET kind = CAST(kind AS BLOB) WHERE kind = 4")
        done = self.run_within(10, "log", "erase", "--log", log, "--since", "1970-01-01", "--yes")
        self.assertEqual(done.returncode, 2, done.stdout)
        with contextlib.closing(sqlite3.connect(log)) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM erased").fetchone()[0], 0)

    def test_a_changed_export_does_not_verify(self):
        plain = self.y.dir / "plain.db"
        self.assertEqual(self.run_within(10, "log", "export", "--log", str(self.y.dir / "yett.db"), "--to", str(plain), "--key", str(self.y.certs / "audit.key")).returncode, 0)
        for change in ("ALTER TABLE decisions RENAME COLUMN effect TO x; ALTER TABLE decisions RENAME COLUMN policy TO effect; ALTER TABLE decisions RENAME COLUMN x TO policy",
                       "UPDATE decisions SET path = CAST(path AS BLOB)", "UPDATE decisions SET reads = NULL", "UPDATE decisions SET seq = seq + 1",
                       "CREATE VIEW more AS SELECT 1", "INSERT INTO manifest SELECT * FROM manifest", "UPDATE manifest SET document = CAST(document AS BLOB)",
                       "ALTER TABLE decisions RENAME TO held; CREATE VIEW decisions AS SELECT * FROM held"):
            done = self.run_within(10, "log", "verify-export", self.changed(change, of="plain.db"), "--key", self.key)
            self.assertEqual((done.returncode, done.stdout[:8]), (1, "BROKEN: "), change)
        self.assertEqual(self.run_within(10, "log", "verify-export", str(plain), "--key", self.key).returncode, 0)

    def test_a_recorded_policy_cannot_exceed_the_largest_configurable_budget(self):
        with contextlib.closing(sqlite3.connect(self.y.dir / "yett.db")) as db:
            (document,) = db.execute("SELECT document FROM policies").fetchone()
        changed = json.loads(document)
        changed["budget"]["instructions"] = 10 ** 12
        log = self.changed("UPDATE policies SET document = '" + json.dumps(changed).replace("'", "''") + "'")
        denied = json.loads(self.run_within(10, "log", "query", "--log", log, "--effect", "deny", "--format", "json").stdout.splitlines()[0])
        done = self.run_within(10, "log", "show", denied["id"], "--log", log)
        self.assertIn("its budget is larger than any that a configuration allows", done.stdout)

    def test_every_sql_statement_is_stopped_at_its_time_limit(self):
        for statement in ("SELECT instr(hex(zeroblob(7000000)), hex(zeroblob(3000000)) || '1')", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"):
            began = time.monotonic()
            done = self.run_within(10, "log", "sql", statement, "--seconds", "1", "--log", str(self.y.dir / "yett.db"))
            self.assertEqual((done.returncode, done.stderr), (2, "yett: the statement took longer than 1 s: raise --seconds\n"))
            self.assertLess(time.monotonic() - began, 5 * SLOW)

    def test_texts_are_compared_with_the_collation_of_the_statement(self):
        def count(where):
            done = self.run_within(10, "log", "sql", f"SELECT count(*) FROM decisions WHERE {where}", "--format", "csv", "--log", str(self.y.dir / "yett.db"))
            return int(done.stdout.splitlines()[1])

        self.assertEqual((count("path = '/HELLO'"), count("path = '/HELLO' COLLATE NOCASE"), count("path = '/hello'")), (0, 1, 1))

    def test_control_characters_are_escaped_in_every_output_format(self):
        log = self.changed("UPDATE events SET subject = char(27) || '[31m', detail = 'a' || char(10) || 'b'")
        for form in ("table", "json", "csv"):
            done = self.run_within(10, "log", "query", "--events", "--log", log, "--format", form)
            self.assertEqual(done.returncode, 0)
            self.assertEqual(len(done.stdout.splitlines()), len(self.run_within(10, "log", "query", "--events", "--log", str(self.y.dir / "yett.db"), "--format", form).stdout.splitlines()))
        self.assertIn("\\x1b", self.run_within(10, "log", "sql", "SELECT * FROM \"\x1b[31m\"", "--log", log).stderr)


class Missing(unittest.TestCase):
    """Records must be in the file at the configured path, not only behind an open descriptor."""

    def yett(self, durability, on_missing="refuse"):
        audit = {"database": "yett.db", "durability": durability, "key_file": "certs/audit.key", "on_missing": on_missing}
        return Yett("127.0.0.1:1", rules=SHOP, audit=audit)

    def status(self, y):
        return y.get("/nothing")[0]

    def test_a_log_removed_replaced_or_truncated_while_yett_runs(self):
        def cut(db, aside):
            shutil.copy(db, aside)
            db.write_bytes(b"")

        def uncut(db, aside):
            with open(db, "r+b") as f:
                f.write(aside.read_bytes())

        def replace(db, aside):
            aside.hardlink_to(db)
            shutil.copy(db, db.with_name("other.db"))
            db.with_name("other.db").rename(db)  # at once, so that the file is never only gone

        ways = ((lambda db, aside: db.rename(aside), lambda db, aside: aside.rename(db), "is gone"),
                (replace, lambda db, aside: aside.rename(db), "is another file"), (cut, uncut, "was cut off"))
        for durability in ("strict", "batched"):
            for take, give_back, why in ways:
                with self.subTest(durability=durability, why=why), self.yett(durability, "start_new") as y:  # start_new applies only at startup
                    self.assertEqual(self.status(y), 403)
                    aside = y.dir / "aside.db"
                    take(y.dir / "yett.db", aside)
                    wait_for("refusals", lambda: self.status(y) == 503)
                    self.assertEqual(y.admin("/readyz")[0], 503)
                    wait_for("the reason in the log", lambda: why in y.log())
                    give_back(y.dir / "yett.db", aside)
                    wait_for("decisions", lambda: self.status(y) == 403)
                    wait_for("the event", lambda: [e for e in y.query("--events") if e["event"] == "writes failed" and why in e["detail"]])
                    self.assertIn("yett_audit_write_failures_total 1\n", y.admin("/metrics")[1])
                    y.stop()
                    self.assertTrue(y.verify()["ok"])

    def test_a_start_after_the_log_was_removed(self):
        y = self.yett("batched")
        y.start()
        self.status(y)
        y.stop()
        kept = y.dir / "kept.db"
        for take in (lambda db: db.rename(kept), lambda db: db.write_bytes(b"")):
            take(y.dir / "yett.db")
            done = subprocess.run([BINARY, "run", "-c", str(y.dir / "yett.json")], capture_output=True, text=True, env=environment(), timeout=20 * SLOW)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, r"log [0-9a-f]{32} was here but is missing: put it back, or set `audit.on_missing`")
            for part in ("", "-wal", "-shm"):
                (y.dir / f"yett.db{part}").unlink(missing_ok=True)
            shutil.copy(kept, y.dir / "yett.db")
            y.start()
            self.assertEqual(self.status(y), 403)
            y.stop()
        (y.dir / "yett.db").unlink()
        y.config["audit"]["on_missing"] = "start_new"
        y.write_config()
        y.start()
        self.status(y)
        y.stop()
        with contextlib.closing(sqlite3.connect(y.dir / "yett.db")) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM events WHERE what = 'log missing'").fetchone()[0], 1)
        self.assertTrue(y.verify()["ok"])


if __name__ == "__main__":
    unittest.main()
