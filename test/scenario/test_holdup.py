"""No caller can delay others: one worker on one core, an attack and a measuring caller on the other. Prints a table: for each
attack the caller's median and worst wait, the time of a reload and of a probe, and the growth of memory. Then SIGTERM."""
import contextlib
import multiprocessing
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import unittest

import h2.exceptions

from h2_peer import DATA, HEADERS, PREFACE, SETTINGS, H2Client, frame
from harness import BINARY, SLOW, Nginx, Service, Yett, wait_for

SECONDS = float(os.environ.get("YETT_TEST_HOLDUP") or 2)
ATTACK = pathlib.Path(BINARY).parent / "test/yett_attack"
CORES = sorted(os.sched_getaffinity(0))
RULES = """
policy "test" {
  deny "closed" { path = "/admin/**" },
  allow "callers" { principal = authenticated },
}
"""

BODY_RULES = """
policy "bodies" { deny "closed" { path = "/body", when = function(r) return r.body.json.closed == true end } }
"""


def hello(connection):
    """A service that answers every request at once without parsing it."""
    data = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            return
        data += piece
        while b"\r\n\r\n" in data:
            head, data = data.split(b"\r\n\r\n", 1)
            if head.startswith(b"GET /large"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")


def sink(connection):
    """A service that reads everything and never responds."""
    while connection.recv(1 << 18):
        pass


def apart(core, nice=0):
    os.sched_setaffinity(0, {core})
    os.nice(nice)


class Caller(threading.Thread):
    """Sends requests in a loop on its own connection; `worst` is the longest wait, `count` the number of responses."""

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
    """Runs yett_attack with these arguments for the given time."""

    def __init__(self, kind, connections):
        self.kind, self.connections = kind, connections

    def __call__(self, y, seconds):
        return subprocess.Popen([ATTACK, self.kind, str(y.port), str(y.certs), "other", str(seconds), str(self.connections)],
                                stdout=subprocess.PIPE, text=True, preexec_fn=lambda: apart(CORES[-1], 19))


def in_process(what):
    """Makes a function of (y, until) an attack that runs in its own process, on the core of the caller."""
    def begin(y, seconds):
        def run():
            apart(CORES[-1], 19)
            with contextlib.suppress(OSError, EOFError, h2.exceptions.ProtocolError):
                what(y, time.monotonic() + seconds)
            threading.Event().wait(60)  # keeps the connections open until the measurement is over

        process = multiprocessing.Process(target=run, daemon=True)
        process.start()
        return process
    return begin


@in_process
def zero_windows(y, until):
    """1,000 streams whose clients read nothing of large responses."""
    clients = []
    for _ in range(4):
        c = H2Client(y, who="other")
        c.h2.update_settings({4: 0})
        c.flush()
        for _ in range(250):
            c.request("/large")
        clients.append(c)
    while time.monotonic() < until:
        time.sleep(0.1)


@in_process
def trickling_bodies(y, until):
    """64 bodies that policy waits for, sent byte by byte."""
    socks = []
    for _ in range(64):
        sock = y.raw_tls("other")
        sock.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
        socks.append(sock)
    while time.monotonic() < until:
        for sock in socks:
            sock.sendall(b" ")


@in_process
def large_bodies(y, until):
    """As many buffered bodies as one caller may have."""
    socks = []
    while time.monotonic() < until:
        sock = y.raw_tls("other")
        sock.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n" + b" " * 999_000)
        socks.append(sock)


def repeated(head, answers=True):
    """Sends the same head in a loop on four connections."""
    @in_process
    def ask(y, until):
        socks = []
        while time.monotonic() < until:
            while len(socks) < 4:
                socks.append(y.raw_tls("other"))
            for sock in socks:
                sock.sendall(head)
            for sock in list(socks):
                data = b""
                while b"\r\n\r\n" not in data:
                    piece = sock.recv(65536)
                    if not piece:
                        break
                    data += piece
                if not data or b"\r\nconnection: close" in data.lower():
                    sock.close()
                    socks.remove(sock)
    return ask


@in_process
def dribbling_admin(y, until):
    socks = []
    for _ in range(8):
        sock = socket.create_connection(("127.0.0.1", y.admin_port), 5)
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-")
        socks.append(sock)
    while time.monotonic() < until:
        for sock in socks:
            sock.sendall(b"x")
        time.sleep(0.05)


@in_process
def pipelined_denials(y, until):
    """8 connections that send as many requests as they can, all denied at once."""
    head = b"GET /admin/x HTTP/1.1\r\nHost: a\r\n\r\n" * 1500
    socks = [y.raw_tls("other") for _ in range(8)]
    pending = {sock: head for sock in socks}
    for sock in socks:
        sock.setblocking(False)
    while time.monotonic() < until:
        for sock in socks:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                sock.recv(1 << 18)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                sent = sock.send(pending[sock])
                pending[sock] = pending[sock][sent:] or head


@in_process
def bursts_of_streams(y, until):
    """32 connections that send 256 denied HTTP/2 requests per write, in a loop."""
    context = y.context("other")
    context.set_alpn_protocols(["h2"])
    path = b"/admin/x"
    block = b"\x82\x87\x04" + bytes([len(path)]) + path + b"\x41\x01a"
    socks = {}
    while time.monotonic() < until:
        while len(socks) < 32:
            sock = context.wrap_socket(y.raw(), server_hostname="localhost")
            sock.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
            sock.settimeout(0.001)
            socks[sock] = 1
        for sock in list(socks):
            first = socks[sock]
            try:
                sock.sendall(b"".join(frame(HEADERS, 5, first + 2 * i, block) for i in range(256)))
                socks[sock] = first + 512
                with contextlib.suppress(TimeoutError):
                    while sock.recv(1 << 18):
                        pass
            except OSError:
                del socks[sock]


def half_handshakes(said):
    """Thousands of connections that send this part of a ClientHello and stay open."""
    @in_process
    def begin(y, until):
        socks = []
        while time.monotonic() < until and len(socks) < 8000:
            sock = y.raw()
            sock.sendall(said)
            socks.append(sock)
    return begin


def trickle(connections, protocol, head, piece):
    """Uploads in pieces of one byte, as fast as Yett reads them."""
    @in_process
    def send(y, until):
        context = y.context("other")
        context.set_alpn_protocols([protocol])
        blob = piece * 20_000
        socks = {}
        while time.monotonic() < until:
            while len(socks) < connections:
                sock = context.wrap_socket(y.raw(), server_hostname="localhost")
                sock.sendall(head)
                sock.setblocking(False)
                socks[sock] = b""
            for sock in list(socks):
                try:
                    with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                        sock.recv(1 << 16)
                    with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                        socks[sock] = (socks[sock] or blob)[sock.send(socks[sock] or blob):]
                except OSError:
                    del socks[sock]
    return send


class HoldUp(unittest.TestCase):
    rows = []

    @classmethod
    def tearDownClass(cls):
        print(f"\n  {'attack, one worker':34} {'median ms':>9} {'worst ms':>9} {'reload s':>9} {'probe ms':>9} {'MiB more':>9}")
        for name, *figures in cls.rows:
            print(f"  {name:34} " + " ".join(f"{figure:9.1f}" for figure in figures))

    def measure(self, name, attack, y=None, worst=0.05, more=64):
        with contextlib.ExitStack() as stack:
            # The service runs in a separate process, since this one measures.
            if y is None:
                service = stack.enter_context(Apart(hello))
                y = Yett(service.address, rules=RULES, workers=1)
            y.write_config()
            rules = (y.dir / "rules/test.lua").read_text()
            stack.enter_context(y)
            os.sched_setaffinity(y.process.pid, {CORES[0]})
            for task in os.listdir(f"/proc/{y.process.pid}/task"):
                os.sched_setaffinity(int(task), {CORES[0]})
            caller = Caller(y)
            caller.start()
            wait_for("a first answer", lambda: caller.count > 20 or caller.error)
            memory = y.rss_mib()
            # Other load on this machine sometimes stops everything for tens of milliseconds. A fault of Yett shows
            # in every attempt.
            for attempt in range(6):
                caller.worst, caller.waits = 0.0, []
                running = attack(y, SECONDS)
                time.sleep(SECONDS / 3)
                began = time.perf_counter()
                status, _ = y.admin("/healthz")
                probe = time.perf_counter() - began
                self.assertEqual(status, 200)
                reloads = y.log().count(" reloaded ")
                began = time.perf_counter()
                y.write_rules(rules + f"-- again, {attempt}\n")
                wait_for("a reload under attack", lambda: y.log().count(" reloaded ") > reloads, 5)
                reload = time.perf_counter() - began
                time.sleep(SECONDS / 3)
                grown = y.rss_mib() - memory
                worst_wait, median = caller.worst, sorted(caller.waits)[len(caller.waits) // 2]
                count = caller.count
                said = finish(running)
                if worst_wait < worst:
                    break
            wait_for("answers afterwards", lambda: caller.count > count + 20 or caller.error)
            caller.over = True
            caller.join()
            self.assertIsNone(caller.error)
            HoldUp.rows.append((name, median * 1000, worst_wait * 1000, reload, probe * 1000, grown))
            print(f"  {name}: {said} median {median * 1000:.1f} ms, worst {worst_wait * 1000:.1f} ms, reload {reload:.2f} s, probe {probe * 1000:.1f} ms, {grown:.0f} MiB more")
            if SLOW == 1:
                self.assertLess(worst_wait, worst)
                self.assertLess(reload, 1)
                self.assertLess(grown, more)
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

    def test_zero_windows(self):
        with Nginx() as up, Apart(hello) as service:  # so that the caller's service is not kept busy by the attack
            (up.dir / "www/large").write_bytes(b"x" * 1_000_000)
            os.sched_setaffinity(up.process.pid, {CORES[-1]})
            y = Yett(service.address, rules=RULES, workers=1)
            y.config["clusters"].append({"name": "large", "endpoints": [up.address]})
            y.listener["routes"].insert(0, {"path": "/large", "cluster": "large"})
            self.measure("1,000 zero-window streams", zero_windows, y)

    def test_zero_windows_over_http2(self):
        with Nginx() as up:
            (up.dir / "www/large").write_bytes(b"x" * 1_000_000)
            os.sched_setaffinity(up.process.pid, {CORES[-1]})
            y = Yett(up.http2_address, rules=RULES, workers=1)
            y.config["clusters"][0]["protocol"] = "http2"
            self.measure("1,000 zero-window streams to an HTTP/2 service", zero_windows, y)

    def with_bodies(self, service):
        y = Yett(service, rules=RULES + BODY_RULES, workers=1)
        y.listener["routes"].insert(0, {"path": "/body", "cluster": "app", "buffer_body": "1MiB"})
        return y

    def test_trickling_bodies(self):
        with Apart(hello) as service:
            self.measure("64 trickling bodies", trickling_bodies, self.with_bodies(service.address))

    def test_large_bodies(self):
        with Apart(hello) as service:
            self.measure("large bodies until they are refused", large_bodies, self.with_bodies(service.address), more=2000)

    def test_connection_lists(self):
        with Apart(hello) as service:
            y = Yett(service.address, rules=RULES, workers=1)
            y.listener["limits"] = {"head": "1MiB", "headers": 10000}
            head = b"GET /hello HTTP/1.1\r\nHost: a\r\n" + b"".join(b"f%d: v\r\n" % i for i in range(9000)) + b"Connection: " + b"a,b," * 200_000 + b"c\r\n\r\n"
            self.measure("the largest Connection list, 4 times", repeated(head), y)

    def test_masked_keys(self):
        with Apart(hello) as service:
            keys = "..".join(f"(optional(r.query.k{i}) or '')" for i in range(28))
            y = Yett(service.address, rules=RULES.replace("allow", f"deny 'quotes' {{ path = '/masked', when = function(r) return true, {keys} end }}, allow"), workers=1)
            query = b"&".join(b"k%d=%s" % (i, b"hm%d" % i * 4) for i in range(28))
            self.measure("28 masked keys that a reason quotes", repeated(b"GET /masked?" + query + b" HTTP/1.1\r\nHost: a\r\n\r\n"), y)

    def test_query_pairs(self):
        with Apart(hello) as service:
            rules = "".join(f"deny 'q{i}' {{ query = {{ k{i} = 'x' }} }}, " for i in range(200))
            y = Yett(service.address, rules=RULES.replace("allow", rules + "allow"), workers=1)
            for name, query in (("queries of 10,000 pairs", b"".join(b"k%d=&" % (i % 9999) for i in range(9_000))), ("queries of one key 10,000 times", b"k1=&" * 10_000)):
                self.measure(name, repeated(b"GET /hello?" + query + b" HTTP/1.1\r\nHost: a\r\n\r\n"), y)
                y = Yett(service.address, rules=RULES.replace("allow", rules + "allow"), workers=1)

    def test_dribbling_admin(self):
        self.measure("8 dribbling admin connections", dribbling_admin)

    def test_pipelined_denials(self):
        self.measure("8 connections of pipelined denials", pipelined_denials)

    def test_bursts_of_streams(self):
        self.measure("32 bursts of 256 denied streams", bursts_of_streams)

    def test_half_handshakes(self):
        part = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)
        self.measure("thousands of half handshakes", half_handshakes(part), more=160)
        # A complete record of an incomplete message: OpenSSL allocates memory for the whole message.
        self.measure("half handshakes of 131,000 bytes each", half_handshakes(b"\x16\x03\x01\x00\x08\x01\x01\xff\xb8\x03\x03\x00\x00"), more=160)

    def test_bodies_in_pieces_of_one_byte(self):
        """64 callers who sent DATA frames of one byte made another caller wait for 725 ms."""
        with Apart(hello) as service, Apart(sink) as other:
            for name, attack in self.uploads():
                y = Yett(service.address, rules=RULES, workers=1)
                y.config["clusters"].append({"name": "sink", "endpoints": [other.address]})
                y.listener["routes"].insert(0, {"path": "/x", "cluster": "sink"})
                self.measure(name, attack, y)

    def uploads(self):
        post = b"\x83\x87\x04" + b"\x02/x" + b"\x41\x01a"
        yield "64 uploads in DATA of one byte", trickle(64, "h2", PREFACE + frame(SETTINGS) + frame(HEADERS, 4, 1, post), frame(DATA, 0, 1, b"x"))
        chunked = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        yield "64 uploads in chunks of one byte", trickle(64, "http/1.1", chunked, b"1\r\nx\r\n")

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
    """A Service in its own process, on the core of the attackers."""

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
