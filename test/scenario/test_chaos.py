"""Everything that can happen to a log, at random and concurrently: rotation, retention, erasure, sinks going down and up, readers that
stop halfway, kill -9. The clock runs 120 times as fast. At every stop the chain is intact, no forwarded request has lost its record, and
the log stays within its size limit."""
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time
import unittest

from fake_clock import fake_clock
from harness import BINARY, Service, environment, read_head, wait_for
from test_cli import yett
from test_evidence import OPEN, config, signed
from test_sinks import Receiver

LOAD = pathlib.Path(BINARY).parent / "test/yett_load"
ROUNDS = int(os.environ.get("YETT_TEST_CHAOS") or 3)
SPEED = 120
MIB = 1 << 20


class Chaos(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(7)
        self.forwarded = set()  # ids of requests that the service has seen
        self.down = threading.Event()
        self.sent = bytearray()  # for each record, whether the receiver has it
        self.lost = set()  # record numbers reported in gaps
        self.twice = 0

    def serve(self, connection):
        got = read_head(connection)
        while got:
            for line in got[0].split("\r\n"):
                if line.startswith("x-yett-decision-id: "):
                    self.forwarded.add(line[20:])
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            got = read_head(connection)

    def judge(self, records):
        if self.down.is_set():
            return 503, {}, b""
        for record in records:
            seq = record["seq"]
            if seq >= len(self.sent):
                self.sent.extend(bytes(seq + 100_000 - len(self.sent)))
            self.twice += self.sent[seq]
            self.sent[seq] = 1
            if record.get("what") == "gap":
                after, count = re.match(r"after (\d+): (\d+) records were accepted but not written$", record["detail"]).groups()
                self.lost.update(range(int(after) + 1, int(after) + int(count) + 1))
        return 200, {}, b"{}"

    def load(self, y, seconds):
        return subprocess.Popen([LOAD, f"127.0.0.1:{y.port}", "-c", "2", "-s", str(seconds), "--warmup", "0", "--path", "/o/%/i/%", "-H", "x-fill: %%%%%%%%%%%%%%%%%%%%",
                                 "--choices", "1000000000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def disturb(self, y, readers):
        what = self.rng.choice(("reader", "snapshot", "sink", "erase", "reload", "nothing"))
        if what == "reader":
            readers.append(subprocess.Popen([BINARY, "log", "export", *config(y)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()))
        elif what == "snapshot":
            held = sqlite3.connect(f"file:{y.dir / 'yett.db'}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
            held.execute("BEGIN")
            held.execute("SELECT count(*) FROM blocks").fetchall()
            readers.append(held)
        elif what == "sink":
            (self.down.clear if self.down.is_set() else self.down.set)()
        elif what == "erase":
            yett("log", "erase", *config(y), "--path", f"/o/{self.rng.randrange(10)}*", "--since", "5s", "--reason", "chaos", "--yes")
        elif what == "reload":
            y.write_rules(OPEN + f" -- {self.rng.random()}")

    def release(self, readers):
        for reader in readers:
            if isinstance(reader, sqlite3.Connection):
                reader.close()
            else:
                reader.kill()
                reader.communicate()
        readers.clear()

    def check(self, y):
        """Verifies the log after a stop."""
        code, out, err = yett("log", "verify", *config(y), "--format", "json")
        told = json.loads(out or "{}")
        self.assertEqual((code, told.get("broken")), (0, ""), err)
        ids = {json.loads(line)["id"] for line in yett("log", "export", *config(y))[1].splitlines()}
        return told, ids

    def run_it(self, durability):
        with Service(self.serve) as service, Receiver(self.judge) as receiver:
            y = signed(service.address)
            with fake_clock(y.dir, SPEED):
                self.run_rounds(y, receiver, durability)

    def run_rounds(self, y, receiver, durability):
        strict = durability == "strict"
        y.config["audit"].update({"durability": durability, "rotate_size": "1MiB", "retention": {"size": "6MiB", "age": "20m"}, "record": {"headers": ["x-fill"]},
                                  "sinks": [{"name": "out", "type": "otlp", "url": receiver.url}]})
        y.write_config()
        readers, kills, decisions, lost, largest = [], 0, 0, 0, 0
        for _ in range(ROUNDS):
            y.start()
            load = self.load(y, 3)
            while load.poll() is None:
                self.disturb(y, readers)
                time.sleep(self.rng.uniform(0.1, 0.8))
            self.down.clear()
            killed = self.rng.random() < 0.6
            if killed:
                more = self.load(y, 1)
                time.sleep(self.rng.uniform(0.1, 0.9))
            y.stop(signal.SIGKILL if killed else signal.SIGTERM, None if killed else 0)
            if killed:
                more.wait()
                kills += 1
            self.release(readers)
            told, ids = self.check(y)
            seen = set(self.forwarded)
            self.forwarded.clear()
            receiver.batches.clear()
            decisions += len(seen)
            if strict:
                # Retention deletes in order, so it cannot have deleted all decisions of this round.
                gone = seen - ids
                self.assertLess(len(gone), len(seen), "every decision of a round is gone")
                lost += 0 if told["deleted_through"] else len(gone)
        y.start()
        wait_for("the sink to have all", lambda: "yett_audit_sink_lag_records{sink=\"out\"} 0\n" in y.admin("/metrics")[1], 120)

        def size():
            sizes = []
            for file in y.dir.glob("yett*.db"):
                with contextlib.suppress(FileNotFoundError):  # retention deletes files meanwhile
                    sizes.append(file.stat().st_size)
            return sum(sizes)

        wait_for("retention", lambda: size() <= 8 * MIB, 60)
        largest = size()
        y.stop()
        told, _ = self.check(y)
        # Numbers lost in a crash are reported as gaps; every other record left the host.
        missing = {seq for seq in range(1, told["last_seq"] + 1) if not self.sent[seq]}
        print(f"  {durability}: {decisions} requests in {ROUNDS} rounds, {kills} kills, {len(self.lost)} records lost, {sum(self.sent)} in the sink, "
              f"{self.twice} twice, {largest / MIB:.1f} MiB at the end")
        self.assertEqual(lost, 0)
        self.assertLessEqual(self.twice, 500 * (ROUNDS * 8))
        wrong = sorted(missing ^ self.lost)
        self.assertFalse(wrong, f"{len(wrong)} of {told['last_seq']} records never sent, or sent though lost: {wrong[:1]} to {wrong[-1:]}")

    def test_batched(self):
        self.run_it("batched")

    def test_strict(self):
        self.run_it("strict")
