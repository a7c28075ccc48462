"""No caller can hold up another: one worker on one core, an attack and a caller who measures on the other. For each attack the
caller's worst wait, how long a reload and a probe took, and what memory grew by; then SIGTERM. Printed as a table."""
import contextlib
import multiprocessing
import os
import pathlib
import subprocess
import threading
import time
import unittest

from harness import BINARY, SLOW, Service, Yett, free_port, wait_for

SECONDS = float(os.environ.get("YETT_TEST_HOLDUP") or 2)
ATTACK = pathlib.Path(BINARY).parent / "test/yett_attack"
CORES = sorted(os.sched_getaffinity(0))
RULES = """
policy "test" {
  deny "closed" { path = "/admin/**" },
  allow "callers" { principal = authenticated },
}
"""


def hello(connection):
    """A service that answers every request at once, without looking."""
    data = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            return
        data += piece
        while b"\r\n\r\n" in data:
            data = data.split(b"\r\n\r\n", 1)[1]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")


def apart(core, nice=0):
    os.sched_setaffinity(0, {core})
    os.nice(nice)


class Caller(threading.Thread):
    """Asks again and again on one connection of its own; `worst` is the longest wait, `count` how often it was answered."""

    def __init__(self, y):
        super().__init__(daemon=True)
        self.y, self.worst, self.count, self.error, self.over = y, 0.0, 0, None, False
        self.waits = []

    def run(self):
        try:
            connection = self.y.connect()
            while not self.over:
                began = time.perf_counter()
                connection.request("GET", "/hello")
                response = connection.getresponse()
                body = response.read()
                took = time.perf_counter() - began
                assert (response.status, body) == (200, b"hello\n"), (response.status, body)
                self.waits.append(took)
                self.worst = max(self.worst, took)
                self.count += 1
                time.sleep(0.0005)
        except Exception as e:
            self.error = e


class Floods:
    """yett_attack with these arguments, as long as the block lasts."""

    def __init__(self, kind, connections):
        self.kind, self.connections = kind, connections

    def __call__(self, y, seconds):
        return subprocess.Popen([ATTACK, self.kind, str(y.port), str(y.certs), "other", str(seconds), str(self.connections)],
                                stdout=subprocess.PIPE, text=True, preexec_fn=lambda: apart(CORES[-1], 19))


class HoldUp(unittest.TestCase):
    rows = []

    @classmethod
    def tearDownClass(cls):
        print(f"\n  {'attack, one worker':34} {'median ms':>9} {'worst ms':>9} {'reload s':>9} {'probe ms':>9} {'MiB more':>9}")
        for name, *figures in cls.rows:
            print(f"  {name:34} " + " ".join(f"{figure:9.1f}" for figure in figures))

    def measure(self, name, attack, y=None, worst=0.05, first=lambda y: None):
        with contextlib.ExitStack() as stack:
            # The service is a process of its own: this one measures.
            if y is None:
                service = stack.enter_context(Apart(hello))
                y = Yett(service.address, rules=RULES, workers=1)
            y.write_config()
            stack.enter_context(y)
            os.sched_setaffinity(y.process.pid, {CORES[0]})
            for task in os.listdir(f"/proc/{y.process.pid}/task"):
                os.sched_setaffinity(int(task), {CORES[0]})
            first(y)
            caller = Caller(y)
            caller.start()
            wait_for("a first answer", lambda: caller.count > 20 or caller.error)
            memory = y.rss_mib()
            caller.worst, caller.waits = 0.0, []
            running = attack(y, SECONDS)
            time.sleep(SECONDS / 3)
            began = time.perf_counter()
            status, _ = y.admin("/healthz")
            probe = time.perf_counter() - began
            self.assertEqual(status, 200)
            began = time.perf_counter()
            y.write_rules(RULES + "-- again\n")
            wait_for("a reload under attack", lambda: " reloaded " in y.log(), 5)
            reload = time.perf_counter() - began
            time.sleep(SECONDS / 3)
            more = y.rss_mib() - memory
            worst_wait, median = caller.worst, sorted(caller.waits)[len(caller.waits) // 2]
            count = caller.count
            said = finish(running)
            wait_for("answers afterwards", lambda: caller.count > count + 20 or caller.error)
            caller.over = True
            caller.join()
            self.assertIsNone(caller.error)
            HoldUp.rows.append((name, median * 1000, worst_wait * 1000, reload, probe * 1000, more))
            print(f"  {name}: {said} median {median * 1000:.1f} ms, worst {worst_wait * 1000:.1f} ms, reload {reload:.2f} s, probe {probe * 1000:.1f} ms, {more:.0f} MiB more")
            if SLOW == 1:
                self.assertLess(worst_wait, worst)
                self.assertLess(reload, 1)
                self.assertLess(more, 64)
            began = time.perf_counter()
            y.stop()
            self.assertLess(time.perf_counter() - began, 5 * SLOW)

    def test_key_updates(self):
        self.measure("8 KeyUpdate floods", Floods("keyupdate", 8))

    def test_key_updates_between_data(self):
        self.measure("8 KeyUpdate floods with some data", Floods("mixed", 8))

    def test_renegotiations(self):
        self.measure("8 renegotiation floods", Floods("renegotiate", 8))

    def test_empty_records(self):
        self.measure("8 floods of empty records", Floods("empty", 8))

    def test_handshakes(self):
        self.measure("200 handshakes a second", Floods("handshake", 200))


def finish(running):
    if isinstance(running, subprocess.Popen):
        return (running.communicate(timeout=30)[0] or "").strip() + ";"
    if running is not None:
        running.terminate()
        running.join(10)
    return ""


class Apart:
    """A Service in a process of its own, beside the attackers."""

    def __init__(self, handle):
        ready, child = multiprocessing.Pipe()

        def serve():
            apart(CORES[-1])
            with Service(handle) as service:
                child.send(service.address)
                threading.Event().wait()

        self.process = multiprocessing.Process(target=serve, daemon=True)
        self.process.start()
        self.address = ready.recv()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join(10)


if __name__ == "__main__":
    unittest.main()
