"""Hostile clients with a hostile upstream: resets, cuts, garbage and half-closes at every stage of an exchange, while
policies and routes reload. Nothing may crash, leak, hang, or reach the service without a decision."""
import contextlib
import os
import random
import re
import resource
import socket
import ssl
import statistics
import struct
import threading
import time
import unittest

from h2_peer import DATA, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, H2Client, frame
from harness import SLOW, Nginx, Service, Yett, hello_times, wait_for
from test_websocket import accept_of

SECONDS = float(os.environ.get("YETT_TEST_SECONDS") or 12)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen",
    b"HTTP/1.1 200 OK\r\n\r\nuntil close",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello",
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"z" * 300_000,
]


class Hostile(unittest.TestCase):
    def test_anything_at_any_moment(self):
        rng = random.Random(11)
        seen = set()  # decision ids that reached the upstream

        def upstream(connection):
            while True:
                data = connection.recv(rng.choice([65536, 65536, 100]))
                if not data:
                    return
                key = re.search(rb"sec-websocket-key: (\S+)", data)
                if key and rng.random() < 0.7:
                    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept_of(key[1].decode()).encode() + b"\r\n\r\n")
                for line in data.split(b"\r\n") if SECONDS < 120 else ():
                    if line.startswith(b"x-yett-decision-id: ") and len(line) == 56:
                        seen.add(line[20:].decode())
                time.sleep(rng.choice([0, 0, 0, 0.3]))
                answer = rng.choice(ANSWERS)
                for i in range(0, len(answer), rng.choice([1 << 20, 1 << 20, 7]) if len(answer) < 1000 else 1 << 20):
                    connection.sendall(answer[i:i + (1 << 20 if len(answer) > 1000 else 7)])
                how = rng.random()
                if how < 0.2:
                    return
                if how < 0.4:
                    return reset(connection)

        def second(connection):
            """The same over HTTP/2: valid and invalid frames, regardless of the request."""
            connection.recv(65536)
            connection.sendall(frame(SETTINGS, 0, 0, rng.choice([b"", struct.pack(">HI", 6, rng.choice([100, 5000])), struct.pack(">HIHI", 4, rng.choice([0, 65535]), 8, 1), struct.pack(">HI", 3, rng.choice([0, 1, 100]))])))
            stream = 1
            while True:
                data = connection.recv(65536)
                if not data or rng.random() < 0.03:
                    return
                for _ in range(1 + data.count(b"x-yett-decision-id") + rng.randrange(2)):
                    out = frame(HEADERS, rng.choice([4, 4, 5]), stream, rng.choice([b"\x88", b"\x88", b"\x88", b"\x08\x03200", b"\x89", b"\xff\xff"]))
                    for _ in range(rng.randrange(3)):
                        out += frame(DATA, 0, stream, b"d" * rng.choice([0, 1, 1000, 16000]))
                    out += rng.choice([frame(DATA, 1, stream, b"end"), frame(DATA, 1, stream, b"end") + frame(RST_STREAM, 0, stream, struct.pack(">I", 0)), frame(RST_STREAM, 0, stream, struct.pack(">I", rng.choice([0, 7, 8]))), b"",
                                       frame(WINDOW_UPDATE, 0, rng.choice([0, stream]), struct.pack(">I", rng.choice([0, 1000, 2**31 - 1]))), frame(HEADERS, 5, stream, b"\x00\x0bgrpc-status\x010")])
                    if rng.random() < 0.1:
                        out += rng.choice([frame(GOAWAY, 0, 0, struct.pack(">II", rng.choice([0, stream]), 0)), frame(PING, 0, 0, b"12345678"), frame(rng.randrange(256), rng.randrange(256), stream, os.urandom(10))])
                    if rng.random() < 0.05:
                        mutable = bytearray(out)
                        mutable[rng.randrange(len(mutable))] = rng.randrange(256)
                        out = bytes(mutable)
                    connection.sendall(out)
                    stream += 2

        def request():
            path = rng.choice([b"/ok", b"/ok", b"/two/x", b"/two/y", b"/body/x", b"/admin/x", b"/dead", b"/a%2fb", b"/" + b"a" * 70_000, b"/../x", b"/a;b/c"])
            head = rng.choice([b"GET", b"HEAD", b"POST", b"PUT"]) + b" " + path + b" " + rng.choice([b"HTTP/1.1"] * 5 + [b"HTTP/1.0", b"HTTP/3"]) + b"\r\nHost: a\r\n"
            head += rng.choice([b"", b"", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"X: " + b"b" * 80_000 + b"\r\n", b"A: b\r\n" * 150])
            kind, body = rng.random(), b""
            if kind < 0.3:
                body = b"z" * rng.choice([0, 5, 1000, 300_000])
                head += b"Content-Length: %d\r\n" % len(body)
            elif kind < 0.6:
                head += b"Transfer-Encoding: chunked\r\n"
                body = b"".join(b"%x\r\n" % n + b"y" * n + b"\r\n" for n in rng.choices([1, 10, 70_000], k=rng.randrange(4))) + b"0\r\n\r\n"
            data = bytearray(head + b"\r\n" + body)
            if rng.random() < 0.15:
                data[rng.randrange(min(len(data), 300))] = rng.randrange(256)
            return bytes(data)

        def frames():
            """The bytes of an HTTP/2 connection with valid and invalid frames."""
            out = PREFACE + frame(SETTINGS, 0, 0, rng.choice([b"", struct.pack(">HI", 4, rng.choice([0, 1, 65535])), struct.pack(">HI", 1, 0)]))
            stream = 1
            for _ in range(rng.randrange(1, 12)):
                path = rng.choice([b"/ok", b"/ok", b"/two/x", b"/body/x", b"/admin/x", b"/dead", b"/../x"])
                method = rng.choice([b"\x82", b"\x83"])
                block = method + b"\x87\x04" + bytes([len(path)]) + path + b"\x41\x01a"
                if rng.random() < 0.2:
                    block = b"\x02\x07CONNECT\x87\x04" + bytes([len(path)]) + path + b"\x41\x01a\x00\x09:protocol\x09websocket\x00\x15sec-websocket-version\x0213"
                ends = rng.random() < 0.5
                out += frame(HEADERS, 4 | ends, stream, block)
                for _ in range(0 if ends else rng.randrange(4)):
                    size = rng.choice([0, 1, 1000, 16000])
                    out += frame(DATA, rng.choice([0, 0, 1]), stream, b"d" * size)
                out += rng.choice([b"", b"", frame(RST_STREAM, 0, stream, struct.pack(">I", 8)), frame(WINDOW_UPDATE, 0, rng.choice([0, stream]), struct.pack(">I", rng.choice([0, 1000, 2**31 - 1]))),
                                   frame(PING, 0, 0, b"12345678"), frame(GOAWAY, 0, 0, b"\0" * 8), frame(PRIORITY, 0, stream, b"\0\0\0\0\1"), frame(rng.randrange(256), rng.randrange(256), stream, os.urandom(rng.randrange(20)))])
                stream += 2
            data = bytearray(out)
            if rng.random() < 0.15:
                data[rng.randrange(24, len(data))] = rng.randrange(256)
            return bytes(data)

        def client(y, port, context):
            s = socket.create_connection(("127.0.0.1", port), 2)
            s.settimeout(rng.choice([0.02, 0.3, 1]))
            try:
                second = rng.random() < 0.4
                if context:
                    context = contexts[second]
                    if rng.random() < 0.2:
                        s.sendall(os.urandom(rng.randrange(1, 400)))
                        return reset(s)
                    s = context.wrap_socket(s, server_hostname="localhost")
                data = frames() if second else b"".join(request() for _ in range(rng.choice([1, 1, 2, 5])))
                if not second and rng.random() < 0.1:
                    data = b"GET /ok HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + os.urandom(rng.choice([0, 10, 100_000]))
                s.sendall(data[:rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data)
                if rng.random() < 0.2:
                    s.shutdown(socket.SHUT_WR)
                for _ in range(rng.choice([0, 1, 20])):
                    if not s.recv(rng.choice([10, 65536])):
                        break
                if rng.random() < 0.3:
                    return reset(s)
            except (OSError, ValueError):
                pass
            s.close()

        rules = 'policy "p" { deny "admin" { path = "/admin/**" }, deny "body" { path = "/body/**", when = function(r) return has(r.body.json, "no") end }, allow "rest" { principal = anyone } }'
        with Service(upstream) as service, Service(second) as two:
            y = Yett(service.address, rules=rules)
            limits = {"timeouts": {"handshake": "2s", "request_head": "2s", "idle": "2s", "body": "2s", "stream_idle": "2s"}}
            route = [{"path": "/dead", "cluster": "dead"}, {"path": "/two/**", "cluster": "two", "upgrades": ["websocket"], "response_timeout": "500ms"}, {"path": "/body/**", "cluster": "app", "buffer_body": "64KiB"}, {"path": "/**", "cluster": "app", "response_timeout": "500ms", "upgrades": ["websocket"]}]
            y.config["clusters"] += [{"name": "dead", "endpoints": ["127.0.0.1:1", "127.0.0.1:2"]}, {"name": "two", "endpoints": [two.address], "protocol": "http2"}]
            y.listener.update(limits, routes=route)
            y.listener["tls"]["client_certificate"] = "optional"
            y.config["listeners"].append({"name": "plain", "address": "127.0.0.1:0", "plaintext": True, "routes": route, **limits})
            y.write_config()
            with y:
                context = y.context()
                contexts = [context, y.context()]
                contexts[1].set_alpn_protocols(["h2"])
                stop = time.monotonic() + SECONDS
                counts = [0] * 16

                def attack(i):
                    while time.monotonic() < stop:
                        try:
                            client(y, *rng.choice([(y.port, context), (y.ports["plain"], None)]))
                        except OSError:
                            pass
                        counts[i] += 1

                threads = [threading.Thread(target=attack, args=(i,), daemon=True) for i in range(len(counts))]
                for t in threads:
                    t.start()
                edits = 0
                while time.monotonic() < stop:
                    time.sleep(1)
                    edits += 1
                    y.write_rules(f"{rules} -- {edits}")
                    route[-1]["response_timeout"] = f"{500 + edits}ms"
                    y.write_config()
                for t in threads:
                    t.join(20)
                self.assertIsNone(y.process.poll(), y.log()[-3000:])
                wait_for("all connections to end", lambda: all(f'yett_connections{{listener="{n}"}} 0\n' in y.admin("/metrics")[1] for n in ("inbound", "plain")), 25)
                before = y.cpu_ticks()
                time.sleep(1)
                self.assertLess(y.cpu_ticks() - before, 30, "busy although there are no connections")
                self.assertTrue(y.verify()["ok"])
                if SECONDS >= 120:
                    return print(f"  {sum(counts)} hostile connections in {SECONDS:.0f} s")
                decided = {d["id"]: d for d in y.query()}
                undecided = [i for i in seen if i not in decided or decided[i]["effect"] != "allow"]
                self.assertEqual(undecided, [])
                self.assertFalse([d for d in decided.values() if d["effect"] == "allow" and (d["path"] + "/").startswith("/admin/")])  # /admin3x is not below /admin
                print(f"  {sum(counts)} hostile connections, {len(decided)} decisions, {len(seen)} forwarded, none undecided")



class Slow(unittest.TestCase):
    """Slow clients that hold connections: the latency of others stays near the idle one, and memory is bounded."""

    def attacks(self, y, up):
        count = int(os.environ.get("YETT_TEST_CONNECTIONS") or 10_000)
        request = b"\x82\x87\x04\x05/blob\x41\x01a"

        def hold(n, first, drip=b""):
            """Opens n connections; each sends `first`, then one byte of `drip` now and then."""
            held = []
            for _ in range(n):
                s = y.raw(20)
                s.sendall(first)
                held.append(s)

            def go_on(stop):
                at = 0
                while not stop.is_set():
                    for s in held:
                        with contextlib.suppress(OSError):
                            s.sendall(drip[at % len(drip):at % len(drip) + 1])
                    at += 1
                    stop.wait(0.05)
            return held, (go_on if drip else None)

        many = min(count, 2000)
        yield f"{count} silent connections", lambda: hold(count, b"")
        yield f"slowloris, {many} heads", lambda: hold(many, b"GET /hello HTTP/1.1\r\n", b"X: y\r\n")
        yield f"slow bodies, {many}", lambda: hold(many, b"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", b"z")
        yield f"slow heads over HTTP/2, {many}", lambda: hold(many, PREFACE + frame(SETTINGS) + frame(HEADERS, 0, 1, request), b"")
        yield "slow readers, 300", lambda: hold(300, b"GET /blob HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        yield "slow readers over HTTP/2, 300 with 100 streams", lambda: hold(300, PREFACE + frame(SETTINGS) + b"".join(frame(HEADERS, 5, s, request) for s in range(1, 201, 2)))
        yield "closed windows over HTTP/2, 300 with 100 streams", lambda: hold(300, PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + b"".join(frame(HEADERS, 5, s, request) for s in range(1, 201, 2)))
        yield "huge heads, 500", lambda: hold(500, b"GET / HTTP/1.1\r\nX: " + b"a" * 65_000)

    def test_slow_clients(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
        with Nginx() as up, Nginx() as other:  # the attackers exhaust the connections of the first one
            (up.dir / "www/blob").write_bytes(os.urandom(1 << 20))
            y = Yett(up.address, rules='policy "p" { allow "all" { principal = anyone } }', workers=1, access_log="off").plaintext()
            y.config["clusters"].append({"name": "other", "endpoints": [other.address]})
            y.listener["routes"].insert(0, {"path": "/hello", "cluster": "other"})
            y.write_config()
            with y:
                for name, attack in self.attacks(y, up):
                    before = y.rss_mib()
                    quiet = statistics.median(hello_times(y, 1))
                    held, go_on = attack()
                    stop = threading.Event()
                    dripping = threading.Thread(target=go_on or (lambda stop: None), args=(stop,), daemon=True)
                    dripping.start()
                    ticks = -1
                    while go_on is None and y.cpu_ticks() - ticks > 5:  # until requests are served and buffers full
                        ticks = y.cpu_ticks()
                        time.sleep(0.2)
                    loud = statistics.median(hello_times(y, 2))
                    grown = y.rss_mib() - before
                    stop.set()
                    dripping.join()
                    for s in held:
                        s.close()
                    wait_for("the attackers to be gone", lambda: re.search(r'yett_connections\{listener="inbound"\} 0\n', y.admin("/metrics")[1]), 60)
                    print(f"  {name}: others' median {loud * 1e6:.0f} us, {loud / quiet:.1f} times the idle {quiet * 1e6:.0f} us; memory +{grown:.0f} MiB")
                    if SLOW == 1:
                        self.assertLess(grown, 400, name)
                        self.assertLess(loud, max(4 * quiet, 0.005), name)  # the aim is twice; the client itself takes CPU time


if __name__ == "__main__":
    unittest.main()
