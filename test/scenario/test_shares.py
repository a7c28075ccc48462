"""How much of shared resources one caller or many may take: memory for heads, concurrent handshakes, the audit queue,
upstream connections. Regression tests; the names describe the bugs."""
import collections
import contextlib
import selectors
import ssl
import struct
import threading
import time
import unittest

from h2_peer import HEADERS, PREFACE, SETTINGS, H2Client, frame
from harness import SLOW, Nginx, Service, Yett, read_head, wait_for

OPEN = 'policy "t" { allow "all" { principal = anyone } }'


def metric(y, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in y.admin("/metrics")[1].splitlines() if line.startswith(name))


class Heads(unittest.TestCase):
    def fields(self, where, streams=250):
        """One field of 3.9 KB, referenced 15 times on each stream with one byte each."""
        value = b"v" * 3900
        define = b"\x40\x05x-big" + b"\x7f" + bytes([(len(value) - 127) % 128 + 128, (len(value) - 127) // 128]) + value
        start = b"\x83\x86\x84\x01\x01a"
        out = PREFACE + frame(SETTINGS)
        for k in range(streams):
            block = (define if k == 0 else b"") + b"\xbe" * 15
            if where == "trailers":
                out += frame(HEADERS, 4, 1 + 2 * k, start) + frame(HEADERS, 5, 1 + 2 * k, block)
            else:
                out += frame(HEADERS, 5, 1 + 2 * k, start + block)
        return out

    def test_trailers_had_no_memory_limit_while_heads_had_one(self):
        """Four connections that sent 14 KB each held 62 MiB."""
        for where in ("heads", "trailers"):
            with Service(lambda c: time.sleep(20)) as s, Yett(s.address, rules=OPEN, workers=1).plaintext() as y:
                before = y.rss_mib()
                with contextlib.ExitStack() as stack:
                    for _ in range(4):
                        sock = stack.enter_context(y.raw())
                        sock.sendall(self.fields(where))
                    wait_for("them to be counted", lambda: metric(y, "yett_held_bytes ") > 3_000_000)
                    time.sleep(0.5)
                    grown = y.rss_mib() - before
                    held = metric(y, "yett_held_bytes ")
                print(f"  {where}: {grown:.0f} MiB more, {held / 1e6:.1f} MB counted")
                self.assertLess(held, 4 * 1.2e6)
                if SLOW == 1:
                    self.assertLess(grown, 16)
                wait_for("nothing to be held", lambda: metric(y, "yett_held_bytes ") == 0)

    def test_a_client_that_retried_refused_requests_lost_its_connection(self):
        hold = threading.Event()

        def up(connection):
            read_head(connection)
            hold.wait(15)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        with Service(up) as s, Yett(s.address, rules=OPEN, workers=1) as y, H2Client(y) as c:
            heads = [(f"x-token-{i}", "a" * 3000) for i in range(2)]
            streams = [c.request("/", headers=heads) for _ in range(200)]
            until, again = time.monotonic() + 4, 0
            c.sock.settimeout(0.05)
            while time.monotonic() < until and again < 2500:
                with contextlib.suppress(TimeoutError):
                    c.read()
                for stream in [x for x in streams if c.answers[x].reset == 7]:
                    streams.remove(stream)
                    streams.append(c.request("/", headers=heads))
                    again += 1
            hold.set()
            print(f"  {again} requests retried")
            self.assertGreater(again, 20)
            self.assertIsNone(c.goaway)
            self.assertFalse(c.closed)


class Handshakes(unittest.TestCase):
    def test_callers_who_arrived_at_once_were_closed_while_rate_limited(self):
        """Of 400 callers at 100 handshakes per second, 37 succeeded at the first try."""
        y = Yett(workers=1, max_connections=1000)
        y.listener["tls"]["handshakes_per_second"] = 100
        y.write_config()
        with y:
            context, selector = y.context(), selectors.DefaultSelector()
            done, closed, kept = 0, 0, []
            for _ in range(300):
                sock = y.raw()
                sock.setblocking(False)
                sock = context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False)
                selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            until = time.monotonic() + 20 * SLOW
            while done + closed < 300 and time.monotonic() < until:
                for key, _ in selector.select(0.05):
                    try:
                        key.fileobj.do_handshake()
                    except ssl.SSLWantReadError:
                        selector.modify(key.fileobj, selectors.EVENT_READ)
                        continue
                    except OSError:
                        closed += 1
                    else:
                        done += 1
                        kept.append(key.fileobj)
                    selector.unregister(key.fileobj)
            self.assertEqual((done, closed), (300, 0))


class Records(unittest.TestCase):
    def test_many_callers_with_a_few_requests_each_filled_the_audit_queue(self):
        """Four denied requests per write on 64 connections: 14 of another caller's 526 responses were 503."""
        rules = 'policy "t" { deny "closed" { path = "/admin/**" }, allow "all" { principal = anyone } }'
        with Nginx() as up, Yett(up.address, rules=rules, workers=1).plaintext() as y, contextlib.ExitStack() as stack:
            over = threading.Event()
            burst = b"GET /admin/x HTTP/1.1\r\nHost: a\r\n\r\n" * 4

            def flood(socks):
                while not over.is_set():
                    for sock in socks:
                        with contextlib.suppress(BlockingIOError):
                            sock.recv(1 << 16)
                        with contextlib.suppress(BlockingIOError):
                            sock.send(burst)

            socks = [stack.enter_context(y.raw()) for _ in range(64)]
            for sock in socks:
                sock.setblocking(False)
            thread = threading.Thread(target=flood, args=(socks,), daemon=True)
            thread.start()
            statuses = collections.Counter()
            until = time.monotonic() + 3
            while time.monotonic() < until:
                statuses[y.get_plain("/hello")] += 1
            over.set()
            thread.join(10)
            print(f"  responses to another caller: {dict(statuses)}")
            self.assertEqual(set(statuses), {200})


class Responses(unittest.TestCase):
    def test_many_connections_that_held_a_little_exceeded_the_budget(self):
        """93 MB of unread responses were held for a minute, with a budget of 32 MiB."""
        body = b"x" * 15_500

        def up(connection):
            data = b""
            while piece := connection.recv(65536):
                data += piece
                while b"\r\n\r\n" in data:
                    _, data = data.split(b"\r\n\r\n", 1)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        with Service(up) as s, Yett(s.address, rules=OPEN, workers=1, memory_limit="256MiB").plaintext() as y, contextlib.ExitStack() as stack:
            zero = PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
            asks = b"".join(frame(HEADERS, 5, 1 + 2 * k, b"\x82\x86\x84\x41\x01a") for k in range(4))
            for _ in range(700):
                with contextlib.suppress(OSError):
                    stack.enter_context(y.raw()).sendall(zero + asks)
            budget = 32 << 20
            wait_for("them to be cut off", lambda: metric(y, "yett_shed_total ") > 0, 10)
            wait_for("the budget to be kept", lambda: metric(y, "yett_held_bytes ") <= budget, 10)
            print(f"  {metric(y, 'yett_held_bytes ') / 1e6:.0f} MB held, {metric(y, 'yett_shed_total '):.0f} cut off")


class LargeHeads(unittest.TestCase):
    def test_a_dead_endpoint_used_up_the_connections_for_large_heads(self):
        with Nginx() as up:
            y = Yett(up.http2_address, workers=1)
            y.config["clusters"][0].update(protocol="http2", circuit_breakers={"max_connections": 64}, endpoints=["127.0.0.1:1", up.http2_address])
            y.write_config()
            with y, H2Client(y) as c:
                heads = [(f"x-{i}", "a" * 3200) for i in range(3)]
                flush, c.flush = c.flush, lambda: None
                streams = [c.request("/hello", headers=heads) for _ in range(8)]
                c.flush = flush
                c.flush()
                self.assertEqual([c.wait(stream).status for stream in streams], [200] * 8)


if __name__ == "__main__":
    unittest.main()
