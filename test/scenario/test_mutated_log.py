"""Whatever the file of a log contains, each command that reads it ends in time with a regular exit code and prints no control characters.
With ASan and UBSan memory errors show too. YETT_TEST_MUTATIONS: number of mutated files; YETT_TEST_SEED: the seed."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from harness import BINARY, DOMAIN, SLOW, Yett, environment, wait_for

RULES = f'policy "shop" {{ allow "hello" {{ principal = "{DOMAIN}/*", path = "/hello/*", method = {{ "GET", "POST" }} }}, deny "rest" {{ path = "/**", when = function(r) return r.header["x-a"] ~= "b" end }} }}'
MUTATIONS = int(os.environ.get("YETT_TEST_MUTATIONS") or 24)
SEED = int(os.environ.get("YETT_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
NUMBERS = (0, 1, -1, 255, 1 << 31, (1 << 63) - 1, -(1 << 63), (1 << 62) + 1)


def change_bytes(rng, path):
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 2, 8, 64))):
        at = rng.randrange(len(data))
        how = rng.randrange(4)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif how == 2:
            size = rng.randrange(1, 512)
            data[at:at + size] = bytes(len(data[at:at + size]))
        else:
            size, other = rng.randrange(1, 512), rng.randrange(len(data))
            data[at:at + size] = data[other:other + len(data[at:at + size])].ljust(len(data[at:at + size]), b"\0")
    if rng.random() < 0.1:
        del data[rng.randrange(len(data)):]
    path.write_bytes(data)


def other_value(rng, old):
    how = rng.randrange(6)
    if how == 0:
        return rng.choice(NUMBERS)
    if how == 1:
        return rng.choice((None, "", b"", 1.5, "\x1b[2J\n\"x", "a" * 70_000))
    if isinstance(old, bytes) and old:
        data = bytearray(old)
        if how == 2:
            return bytes(data[:rng.randrange(len(data))])
        if how == 3:
            return bytes(data) + rng.randbytes(rng.randrange(1, 40))
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    if isinstance(old, int):
        return old + rng.choice((-1, 1, 2, 1000, -1000))
    if isinstance(old, str) and old:
        at = rng.randrange(len(old))
        return old[:at] + rng.choice(("", "\n", "\x9b", "\ud7ff", "{", '"', "0" * 30)) + old[at + 1:]
    return rng.randbytes(16)


def change_cells(rng, path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'") if db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]]
        for _ in range(rng.choice((1, 1, 2, 5))):
            table = rng.choice(tables)
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            column = rng.choice(columns)
            rows = db.execute(f"SELECT {column}, {', '.join(columns)} FROM {table}").fetchall()
            row = rng.choice(rows)
            where = " AND ".join(f"{name} IS ?" for name in columns)
            with contextlib.suppress(sqlite3.Error):  # a duplicate key, or a value that the column does not accept
                db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (other_value(rng, row[0]), *row[1:]))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class Mutated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.y = Yett("127.0.0.1:1", rules=RULES, audit={"database": "yett.db", "key_file": "certs/audit.key"})
        cls.y.start()
        for i in range(60):
            cls.y.get(("/hello/a", "/a", "/hello/b?c=d", "/b")[i % 4])
        wait_for("the records", lambda: len(cls.y.query()) == 60)
        cls.id = cls.y.query()[30]["id"]
        cls.y.stop()
        cls.y.start()  # so that there is a closed block and an open one
        for i in range(20):
            cls.y.get("/c")
        wait_for("the records", lambda: len(cls.y.query()) == 80)
        cls.y.stop()

    def commands(self, log, folder):
        policy = str(self.y.dir / "rules")
        return (["verify", "--log", log], ["verify", "--log", log, "--key", str(self.y.certs / "audit.pub"), "--format", "json"],
                ["query", "--log", log, "--format", "json"], ["query", "--log", log, "--effect", "deny", "--path", "/b"], ["query", "--log", log, "--events"],
                ["show", self.id, "--log", log], ["export", "--log", log], ["export", "--log", log, "--format", "csv"], ["export", "--log", log, "--to", str(folder / "tables.db")],
                ["stats", "--log", log, "--by", "principal"], ["coverage", "--log", log, "--policy", policy], ["report", "--log", log, "--out", str(folder / "report.html")],
                ["sql", "SELECT d.*, o.* FROM decisions d LEFT JOIN outcomes o ON o.decision_seq = d.seq", "--log", log, "--seconds", "10"])

    def run_all(self, number):
        rng = random.Random(f"{SEED} {number}")
        with tempfile.TemporaryDirectory(prefix="yett-mutated-") as name:
            folder = pathlib.Path(name)
            path = folder / "yett.db"
            shutil.copy(self.y.dir / "yett.db", path)
            try:
                (change_bytes if rng.random() < 0.4 else change_cells)(rng, path)
            except sqlite3.Error:
                pass
            log = str(path)
            commands = [["log", *command] for command in self.commands(log, folder)]
            commands += [["replay", "--policy", str(self.y.dir / "rules"), "--log", log], ["suggest", "--log", log, "--principal", f"{DOMAIN}/*"]]
            kept = path.read_bytes()
            for command in commands:
                where = f"YETT_TEST_SEED={SEED}, file {number}: {' '.join(command)}"
                done = subprocess.run([BINARY, *command], capture_output=True, env=environment(), timeout=30 * SLOW)
                self.assertIn(done.returncode, (0, 1, 2, 3), f"{where}\n{done.stderr[-3000:]}")
                for fault in (b"Sanitizer", b"runtime error"):
                    self.assertNotIn(fault, done.stderr, f"{where}\n{done.stderr[-3000:]}")
                if command[1] != "sql":
                    self.assertNotIn(b"\x1b", done.stdout + done.stderr, where)
                if done.returncode == 2:
                    self.assertIn(b"yett: ", done.stderr, where)
                if command[-1] == "json" and done.returncode == 0:
                    for line in done.stdout.splitlines():
                        json.loads(line)
                self.assertEqual(path.read_bytes(), kept, f"{where}: reading changed the file")
            return [subprocess.run([BINARY, *commands[1]], capture_output=True, env=environment()).returncode]

    def test_each_command_ends_regularly_whatever_the_file_contains(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            codes = [code for codes in pool.map(self.run_all, range(MUTATIONS)) for code in codes]
        found = sum(code != 0 for code in codes)
        self.assertGreater(found, MUTATIONS // 2)  # the others changed nothing of importance, such as free pages
        print(f"  {MUTATIONS} changed files (seed {SEED}), fifteen commands on each: {found} found by verify, the others changed nothing that it reads")


if __name__ == "__main__":
    unittest.main()
